"""The forger's tools: honest chains, and one module of attacks for each part of the format."""
