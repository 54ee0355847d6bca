"""Mu-MAE: masked autoencoding of video and wearable sensors together, then one-shot recognition guided by it.

Liu & Liu, "Mu-MAE: Multimodal Masked Autoencoders-Based One-Shot Learning" (arXiv 2408.04243).
"""
