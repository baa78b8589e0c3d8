"""SeekAvoid: a MiniWorld room with good and bad objects, whose appearance is set by named factors."""
