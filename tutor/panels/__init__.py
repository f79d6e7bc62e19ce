"""The instruments: a recorded trace as plain JSON-able values, and the components that draw it.

`payload` and `pooling` turn a `Trace` into dictionaries and know nothing of Streamlit or the web;
`assets` reads the browser files; `components` mounts them in Streamlit and is imported only by
the page. `PROTOCOL.md` describes what travels between the server and the browser.
"""
