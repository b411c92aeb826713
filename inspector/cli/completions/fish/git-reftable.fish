# fish completion for git-reftable and git reftable: the same as for reftable-inspector.
source (string replace git-reftable.fish reftable-inspector.fish (status filename))
