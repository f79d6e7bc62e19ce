"""HTTP beside the page: browser files, live events and single answers about a job.

`tutor/panels/PROTOCOL.md` describes what travels. Knows Starlette, no Streamlit and no torch.
"""
