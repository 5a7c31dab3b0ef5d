"""The starter voice: a small model of the GPT-SoVITS family, trained from free synthetic voices.

Training only; the product never imports it."""
