"""Layer-wise relevance propagation (LRP): rules, layers, and two engines that apply them."""
