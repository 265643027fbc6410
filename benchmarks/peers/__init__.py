"""What others do, to measure beside. Nothing here is part of the product."""
