"""Jets: from particles to clustered, selected and described jets."""
