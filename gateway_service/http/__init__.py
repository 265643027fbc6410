"""HTTP itself: middleware, access, uploads, problem bodies, rate limits."""
