namespace Graft.Checkpoints;

/// <summary>What a checkpoint says of one tensor; <see cref="Checkpoint.Read"/> reads its values.</summary>
/// <param name="Name">The key in the file, unique there.</param>
/// <param name="Type">The stored element type.</param>
/// <param name="Shape">Sizes in the file's own layout, last axis fastest; empty for a scalar.</param>
public sealed record TensorEntry(string Name, TensorType Type, IReadOnlyList<long> Shape)
{
    public long ElementCount { get; } =
        Shape.Contains(0) ? 0 : Shape.Aggregate(1L, (product, size) => checked(product * size));

    public override string ToString() => $"'{Name}' {Type} [{string.Join(", ", Shape)}]";
}
