namespace Graft.Tests;

/// <summary>Tests that count live tensors or draw from libtorch's one random generator: no other runs beside them.</summary>
[CollectionDefinition(nameof(AloneWithTorch), DisableParallelization = true)]
public class AloneWithTorch;
