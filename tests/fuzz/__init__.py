"""Hostile documents for the language: seeds, mutations, what must hold for any of them, and a fuzzer."""
