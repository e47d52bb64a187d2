"""Fine-tuning SNAC decoders from cached codes: recipes, curriculum, trainer."""
