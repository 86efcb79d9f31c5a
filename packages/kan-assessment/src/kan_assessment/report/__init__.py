"""What people read of an assessment: tables, figures, folders."""
