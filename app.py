"""Aura: a GPT-2 that teaches how GPT-2 works. Start it with `streamlit run app.py`.

Streamlit finds `app` below and serves it: the page, and beside it the routes that bring live
events to the browser. The same file is also the page's script, so it draws when it is run as one.
"""

from __future__ import annotations

import os
import sys

from tutor.config import AppConfig

os.environ.setdefault("OMP_NUM_THREADS", str(AppConfig.from_env().cpu_threads))  # before torch is imported

import streamlit as st  # noqa: E402
from streamlit.runtime.scriptrunner import get_script_run_ctx  # noqa: E402

from app_pages.shell import draw, on_script_error  # noqa: E402
from tutor.serve.noise import quieten  # noqa: E402
from tutor.serve.routes import make_routes  # noqa: E402
from tutor.session.service import get_service  # noqa: E402

if get_script_run_ctx(suppress_warning=True) is None:
    # While a page is drawn, the worker waits this long for its turn at every operation of a token.
    sys.setswitchinterval(0.001)
    quieten()
    get_service()  # starts to load the model before the first student comes
    app = st.App(
        __file__,
        routes=make_routes(st.get_option("server.baseUrlPath") or ""),
        on_script_error=on_script_error,
    )
else:
    draw()
