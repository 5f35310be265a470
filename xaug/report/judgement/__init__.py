"""Judge explanations: tests of methods beside each other, and which features to believe."""
