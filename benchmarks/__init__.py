"""What is measured of Obscura: its cost, and what an attacker gets out of what it hides."""
