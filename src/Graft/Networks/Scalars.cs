using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// Numbers for TorchSharp's operators. TorchSharp lets a <see cref="Scalar"/> be collected while libtorch still reads it: none is held during the
/// call that it is given to, and its finalizer frees it. So a number in a formula is a <see cref="Number(double)"/>, and tensors are added
/// by <see cref="Plus(Tensor, Tensor)"/>, since <c>+</c> makes a scalar of its own. A test reads the library's instructions for others.
/// </summary>
internal static class Scalars
{
    /// <summary>More than one expression takes.</summary>
    private const int Held = 64;

    private static readonly Scalar One = 1;

    [ThreadStatic]
    private static Scalar?[]? _held;

    [ThreadStatic]
    private static int _next;

    /// <summary>A number for the expression it stands in: the thread disposes of it when it makes the 64th after it.</summary>
    public static Scalar Number(double value) => Hold(value);

    /// <inheritdoc cref="Number(double)"/>
    public static Scalar Number(long value) => Hold(value);

    private static Scalar Hold(Scalar scalar)
    {
        var held = _held ??= new Scalar?[Held];
        held[_next]?.Dispose();
        held[_next] = scalar;
        _next = (_next + 1) % Held;
        return scalar;
    }

    public static Tensor Plus(this Tensor left, Tensor right) => left.add(right, One);

    public static Tensor Plus(this Tensor tensor, double number) => tensor.add(Number(number), One);

    /// <summary>Adds to the tensor itself.</summary>
    public static Tensor Increase(this Tensor tensor, Tensor by) => tensor.add_(by, One);

    /// <inheritdoc cref="Increase(Tensor, Tensor)"/>
    public static Tensor Increase(this Tensor tensor, double by) => tensor.add_(Number(by), One);

    public static Tensor Squared(this Tensor tensor) => tensor * tensor;

    /// <summary>The value of a tensor of one element, of whatever type.</summary>
    public static double Value(this Tensor tensor)
    {
        using var scalar = tensor.ToScalar();
        return scalar.ToDouble();
    }

    /// <inheritdoc cref="Value"/>
    public static long Whole(this Tensor tensor)
    {
        using var scalar = tensor.ToScalar();
        return scalar.ToInt64();
    }

    /// <inheritdoc cref="Value"/>
    public static bool IsTrue(this Tensor tensor) => tensor.Value() != 0;
}
