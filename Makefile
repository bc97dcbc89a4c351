# Everything goes into .venv; nothing outside this folder is touched but the user's cache.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: demo test check docs bench reproduce clean
