# Aura as a Hugging Face Docker Space, or anywhere else that runs containers.
#   docker build -t aura .  &&  docker run -p 8501:8501 aura
FROM python:3.11-slim

# One thread for torch: with two on two shared cores every token waits for the slower one.
ENV OMP_NUM_THREADS=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# Spaces run the container as user 1000; its home holds every cache, so it must be writable.
RUN useradd --create-home --uid 1000 user
USER user
ENV HOME=/home/user \
    HF_HOME=/home/user/.cache/huggingface \
    PATH=/home/user/.local/bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /home/user/app

# The plain torch wheel brings CUDA along. For a small CPU image give PyTorch's index of CPU wheels:
#   docker build --build-arg TORCH_INDEX=... -t aura .
ARG TORCH_INDEX=""
COPY --chown=user requirements.txt .
RUN pip install --user ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements.txt

COPY --chown=user . .

EXPOSE 8501
# Unknown paths answer with the page and status 200, so the body is what counts.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import sys, urllib.request as u; sys.exit(u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4).read() != b'ok')"]

CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true", "--server.fileWatcherType=none"]
