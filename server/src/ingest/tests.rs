//! Bodies of every size, lies about them, and what is left of a refused one.
