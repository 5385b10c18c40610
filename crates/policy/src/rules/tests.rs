mod equivalence;
mod mistakes;
