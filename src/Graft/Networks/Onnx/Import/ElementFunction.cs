namespace Graft.Networks.Onnx.Import;

/// <summary>
/// What a chain of element-wise nodes makes of a number, by its values at sample points: however an exporter has written GELU, its values are those of
/// GELU. Chains consist of <see cref="Knows">operators</see> that take numbers and the same tensor's elements.
/// </summary>
internal sealed class ElementFunction
{
    private const double Tolerance = 1e-6;

    private static readonly double[] Points = [.. Enumerable.Range(-60, 121).Select(number => number / 6.0 + 0.01)];

    private static readonly (ActivationFunction Function, double[] Values)[] Activations =
    [
        .. from function in (ActivationFunction[])
           [
               ActivationFunction.Relu, ActivationFunction.Relu6, ActivationFunction.Sigmoid, ActivationFunction.Silu, ActivationFunction.Gelu,
               ActivationFunction.GeluTanh, ActivationFunction.QuickGelu, ActivationFunction.HardSigmoid, ActivationFunction.HardSwish,
           ]
           select (function, Points.Select(point => Value(function, point)).ToArray()),
    ];

    private readonly double[] _values;

    private ElementFunction(double[] values) => _values = values;

    public static ElementFunction Identity { get; } = new(Points);

    public static bool Knows(NodeProto node) => node.Domain.Length == 0 && node.OpType is
        "Add" or "Sub" or "Mul" or "Div" or "Pow" or "Min" or "Max" or "Sum" or "Erf" or "Tanh" or "Sigmoid" or "Exp" or "Sqrt" or "Reciprocal" or "Neg" or "Relu" or "Clip"
        or "HardSigmoid" or "HardSwish" or "Gelu" or "Softplus";

    public static ElementFunction Constant(double number) => new([.. Points.Select(_ => number)]);

    /// <summary>The function that a node computes of functions of the same numbers.</summary>
    /// <param name="bounds">Of Clip.</param>
    public static ElementFunction Of(NodeProto node, IReadOnlyList<ElementFunction> inputs, (double Low, double High) bounds)
    {
        var x = inputs[0]._values;
        return new(node.OpType switch
        {
            "Add" or "Sum" => Folded((a, b) => a + b),
            "Sub" => Folded((a, b) => a - b),
            "Mul" => Folded((a, b) => a * b),
            "Div" => Folded((a, b) => a / b),
            "Pow" => Folded(Math.Pow),
            "Min" => Folded(Math.Min),
            "Max" => Folded(Math.Max),
            "Erf" => Mapped(Erf),
            "Tanh" => Mapped(Math.Tanh),
            "Exp" => Mapped(Math.Exp),
            "Sqrt" => Mapped(Math.Sqrt),
            "Neg" => Mapped(value => -value),
            "Reciprocal" => Mapped(value => 1 / value),
            "Softplus" => Mapped(value => Math.Log(1 + Math.Exp(value))),
            "Clip" => Mapped(value => Math.Min(Math.Max(value, bounds.Low), bounds.High)),
            "HardSigmoid" => Mapped(value => Math.Clamp(OnnxSource.Float(node, "alpha", 0.2f) * value + OnnxSource.Float(node, "beta", 0.5f), 0, 1)),
            "Gelu" => Mapped(value => Value(OnnxSource.Text(node, "approximate", "none") == "tanh" ? ActivationFunction.GeluTanh : ActivationFunction.Gelu, value)),
            _ => Mapped(value => Value(Enum.Parse<ActivationFunction>(node.OpType), value)), // Relu, Sigmoid, HardSwish
        });

        double[] Mapped(Func<double, double> function) => [.. x.Select(function)];

        double[] Folded(Func<double, double, double> function) =>
            inputs.Skip(1).Aggregate(x, (sum, input) => [.. sum.Zip(input._values, function)]);
    }

    /// <summary>The activation function that has these values; null for none.</summary>
    public ActivationFunction? Activation
    {
        get
        {
            foreach (var (function, values) in Activations)
                if (IsClose(values)) return function;
            return null;
        }
    }

    /// <summary>The factor and the shift, where it is no more than that; null otherwise.</summary>
    public (float Scale, float Shift)? Affine
    {
        get
        {
            var scale = (_values[^1] - _values[0]) / (Points[^1] - Points[0]);
            var shift = _values[0] - scale * Points[0];
            return IsClose([.. Points.Select(point => scale * point + shift)]) && scale != 0 ? ((float)scale, (float)shift) : null;
        }
    }

    private bool IsClose(double[] values) => _values.Zip(values).All(pair => Math.Abs(pair.First - pair.Second) <= Tolerance * Math.Max(1, Math.Abs(pair.Second)));

    private static double Value(ActivationFunction function, double x) => function switch
    {
        ActivationFunction.Relu => Math.Max(x, 0),
        ActivationFunction.Relu6 => Math.Clamp(x, 0, 6),
        ActivationFunction.Sigmoid => 1 / (1 + Math.Exp(-x)),
        ActivationFunction.Silu => x / (1 + Math.Exp(-x)),
        ActivationFunction.Gelu => x * (1 + Erf(x / Math.Sqrt(2))) / 2,
        ActivationFunction.GeluTanh => x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))) / 2,
        ActivationFunction.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        ActivationFunction.HardSigmoid => Math.Clamp(x + 3, 0, 6) / 6,
        ActivationFunction.HardSwish => x * Math.Clamp(x + 3, 0, 6) / 6,
        _ => throw new NotSupportedException($"{function}"),
    };

    /// <summary>
    /// The error function to 1e-9: its series near 0, beyond it the continued fraction of its complement (Abramowitz and Stegun 1964, 7.1.5 and 7.1.14).
    /// </summary>
    private static double Erf(double x)
    {
        var size = Math.Abs(x);
        if (size > 6) return Math.Sign(x);
        if (size < 2.5)
        {
            var (sum, term) = (x, x);
            for (var n = 1; n < 60; n++)
            {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }
            return 2 / Math.Sqrt(Math.PI) * sum;
        }
        var fraction = size;
        for (var n = 60; n > 0; n--) fraction = size + n / 2.0 / fraction;
        return Math.Sign(x) * (1 - Math.Exp(-size * size) / Math.Sqrt(Math.PI) / fraction);
    }
}
