namespace Graft.Networks;

/// <summary>A vector divided by its Euclidean length: [features] → [features]; a vector of zeros stays one.</summary>
public sealed record UnitLength : Operation
{
    /// <summary>Shorter vectors are divided by this.</summary>
    internal const float Least = 1e-12f;

    internal override T Accept<T>(IOperationVisitor<T> visitor) => visitor.Visit(this);

    public override TensorShape OutputShape(IReadOnlyList<TensorShape> inputs) =>
        Single(inputs) is { IsVector: true } vector ? vector : throw new GraftException($"expected a vector, found {inputs[0]}; pool or flatten first");
}
