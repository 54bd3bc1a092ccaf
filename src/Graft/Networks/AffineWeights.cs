namespace Graft.Networks;

/// <summary>The numbers of one <see cref="AffineTransform"/>: x → factors · (x − center) + shift.</summary>
public sealed class AffineWeights : IWeights
{
    private readonly float[] _center, _factors, _shift;

    private AffineWeights(float[] center, float[] factors, float[]? shift, int outputs, bool isDiagonal)
    {
        if (factors.Length != (isDiagonal ? center.Length : outputs * center.Length))
            throw new ArgumentException($"Expected {(isDiagonal ? center.Length : outputs * center.Length)} factors, found {factors.Length}.", nameof(factors));
        if (shift is not null && shift.Length != outputs) throw new ArgumentException($"Expected a shift of {outputs} numbers, found {shift.Length}.", nameof(shift));
        (_center, _factors, _shift, Operation) = (center, factors, shift ?? new float[outputs], new(outputs, isDiagonal));
    }

    /// <summary>One factor for each feature.</summary>
    /// <param name="center">Subtracted first, [features].</param>
    /// <param name="factors">[features].</param>
    /// <param name="shift">Added last, [features]; null for none.</param>
    public static AffineWeights Diagonal(float[] center, float[] factors, float[]? shift = null) =>
        new(center, factors, shift, center.Length, isDiagonal: true);

    /// <summary>A matrix.</summary>
    /// <param name="center">Subtracted first, [features].</param>
    /// <param name="matrix">[outputs, features].</param>
    /// <param name="outputs">How many features come out.</param>
    /// <param name="shift">Added last, [outputs]; null for none.</param>
    public static AffineWeights Full(float[] center, float[] matrix, int outputs, float[]? shift = null) =>
        new(center, matrix, shift, outputs, isDiagonal: false);

    /// <summary>The layer that these are the numbers of.</summary>
    public AffineTransform Operation { get; }

    /// <inheritdoc/>
    public void Read(Parameter parameter, Span<float> destination) => (parameter.Role switch
    {
        ParameterRole.Center => _center,
        ParameterRole.Factors => _factors,
        ParameterRole.Shift => _shift,
        _ => throw new ArgumentException($"An affine transform has no {parameter.Role}.", nameof(parameter)),
    }).CopyTo(destination);
}
