"""Chat clients that speak OpenAI's protocol: which conversation a resent history means (decision 0022)."""
