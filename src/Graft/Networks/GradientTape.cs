using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// A training step's way back. libtorch differentiates what it computes; batch norm, residual sum and activation are computed here, in one pass
/// over memory and with one activation kept where libtorch makes up to three, and differentiated here. Between such places lie pieces of
/// libtorch's graph: a piece's input is a leaf of its own, its one output leads into the next place.
/// </summary>
/// <remarks>On one thread: the one whose dispose scope holds the step's tensors.</remarks>
internal sealed class GradientTape
{
    private readonly List<Place> _places = [];
    private readonly HashSet<Tensor> _held = new(ReferenceEqualityComparer.Instance);

    /// <summary>Whether backward needs this tensor, so that it must be neither disposed nor overwritten before.</summary>
    public bool Holds(Tensor tensor) => _held.Contains(tensor);

    /// <summary>Ends a piece of graph: the same numbers, for several layers to use, whose gradients are summed before they go on.</summary>
    public Tensor Cut(Tensor value) => Add(new(value, value.detach()));

    /// <summary>activation(normalised value + addend); any of the three may be missing.</summary>
    /// <param name="value">A layer's output that nothing else uses and its own gradient does not need: its memory is taken.</param>
    /// <param name="overwritesAddend">Whether nothing needs the addend's numbers any more.</param>
    public Tensor Apply(Tensor value, BatchStatistics? norm, Tensor? addend, bool overwritesAddend, ActivationFunction? activation)
    {
        var output = norm is null ? value.detach() : overwritesAddend ? addend!.detach() : empty_like(value);
        var place = new Place(value, output)
        {
            Norm = norm,
            IsSum = addend is not null,
            Addend = addend is { requires_grad: true } ? addend : null,
            Activation = activation,
        };
        if (place.Addend is not null) _held.Add(place.Addend);
        place.Forward(addend);
        return Add(place);
    }

    /// <summary>Adds the gradients of a loss to those of all weights that it depends on, and forgets the step.</summary>
    public void Backward(Tensor loss)
    {
        loss.backward();
        for (var index = _places.Count - 1; index >= 0; index--)
        {
            _places[index].Backward();
            _places.RemoveAt(index);
        }
        _held.Clear();
    }

    private Tensor Add(Place place)
    {
        place.Output.requires_grad = true;
        _places.Add(place);
        _held.Add(place.Value);
        _held.Add(place.Output);
        return place.Output;
    }

    /// <param name="Value">The end of a piece of graph.</param>
    /// <param name="Output">The leaf that the next begins with.</param>
    private sealed record Place(Tensor Value, Tensor Output)
    {
        public BatchStatistics? Norm { get; init; }

        public bool IsSum { get; init; }

        /// <summary>What was added; null where nothing was, or what no gradient goes on to.</summary>
        public Tensor? Addend { get; init; }

        public ActivationFunction? Activation { get; init; }

        public void Forward(Tensor? addend)
        {
            var (from, to) = (Rows.Of(Value), Rows.Of(Output));
            Rows? other = addend is null ? null : Rows.Of(addend);
            switch (Activation)
            {
                case null: MapKernels.Forward<NoActivation>(from, to, other, Norm?.Scale, Norm?.Shift); break;
                case ActivationFunction.Relu: MapKernels.Forward<ReluActivation>(from, to, other, Norm?.Scale, Norm?.Shift); break;
                case ActivationFunction.Relu6: MapKernels.Forward<Relu6Activation>(from, to, other, Norm?.Scale, Norm?.Shift); break;
                default: throw new NotSupportedException($"{Activation}");
            }
        }

        public void Backward()
        {
            using var output = Output;
            using var value = Value;
            // Null: nothing that the loss depends on uses it.
            using var gradient = output.grad;
            if (gradient is null) return;
            output.grad = null;
            switch (Activation)
            {
                case null: Backward<NoActivation>(gradient); break;
                case ActivationFunction.Relu: Backward<ReluActivation>(gradient); break;
                case ActivationFunction.Relu6: Backward<Relu6Activation>(gradient); break;
            }
        }

        /// <param name="gradient">Of the output; nothing else holds it, and it is overwritten.</param>
        private void Backward<TActivation>(Tensor gradient)
            where TActivation : struct, IKernelActivation
        {
            if (Norm is null)
            {
                if (Activation is not null) MapKernels.Mask<TActivation>(Rows.Of(Output), Rows.Of(gradient));
                Output.Dispose();
                autograd.backward([Value], [gradient]);
            }
            else
            {
                // Behind a sum, only the output tells where the activation let gradients through.
                Rows? output = IsSum ? Rows.Of(Output) : null;
                Norm.Backward<TActivation>(Rows.Of(Value), output, Rows.Of(gradient), Value.requires_grad, writesGradient: Addend is not null);
                Output.Dispose();
                if (Addend is null) gradient.Dispose();
                using var own = Value.detach();
                if (Value.requires_grad) autograd.backward([Value], [own]);
            }
            Value.Dispose();
            if (Addend is not null) AddGradient(Addend, gradient);
        }
    }

    /// <summary>Adds to a leaf's gradient, or takes this one over where there is none yet; goes on through the graph from any other tensor.</summary>
    internal static void AddGradient(Tensor tensor, Tensor gradient)
    {
        if (!tensor.is_leaf)
        {
            autograd.backward([tensor], [gradient]);
            return;
        }
        using var present = tensor.grad;
        if (present is null) tensor.grad = gradient;
        else present.add_(gradient);
    }
}

/// <summary>A batch norm over one batch: what it normalised by, and where its gradients go.</summary>
internal sealed class BatchStatistics
{
    private readonly double[] _mean, _deviation;
    private readonly float[] _center;
    private readonly Tensor? _gamma;
    private readonly Tensor _beta;
    private readonly long _count;

    /// <summary>Takes the statistics of the rows and moves the moving ones, in place.</summary>
    /// <param name="gamma">Null for 1.</param>
    public BatchStatistics(Rows rows, BatchNorm op, Tensor? gamma, Tensor beta, Tensor movingMean, Tensor movingVariance)
    {
        (_gamma, _beta, _count) = (gamma, beta, rows.Count);
        (_mean, var variance) = MapKernels.Statistics(rows);
        _deviation = [.. variance.Select(value => Math.Sqrt(value + op.Epsilon))];
        using var plainGamma = gamma?.detach();
        using var plainBeta = beta.detach();
        var scales = plainGamma is null ? default : TorchNetwork.Values(plainGamma);
        var shifts = TorchNetwork.Values(plainBeta);
        var means = TorchNetwork.Values(movingMean);
        var variances = TorchNetwork.Values(movingVariance);
        (Scale, Shift, _center) = (new float[rows.Channels], new float[rows.Channels], new float[rows.Channels]);
        for (var c = 0; c < rows.Channels; c++)
        {
            var scale = (plainGamma is null ? 1 : scales[c]) / _deviation[c];
            (Scale[c], Shift[c], _center[c]) = ((float)scale, (float)(shifts[c] - _mean[c] * scale), (float)_mean[c]);
            means[c] = (float)(means[c] + op.Momentum * (_mean[c] - means[c]));
            // Unbiased, as PyTorch has it.
            variances[c] = (float)(variances[c] + op.Momentum * (variance[c] * _count / (_count - 1) - variances[c]));
        }
    }

    /// <summary>Normalised, scaled and shifted is the value times this, plus <see cref="Shift"/>.</summary>
    public float[] Scale { get; }

    public float[] Shift { get; }

    /// <summary>
    /// Adds to the gradients of gamma and beta, and writes that of the value over it where asked (Ioffe and Szegedy 2015, arXiv:1502.03167,
    /// section 3).
    /// </summary>
    public void Backward<TActivation>(Rows value, Rows? output, Rows gradient, bool writesValue, bool writesGradient)
        where TActivation : struct, IKernelActivation
    {
        var (sum, product) = MapKernels.GradientSums<TActivation>(value, output, gradient, _center, Scale, Shift);
        if (_gamma is { requires_grad: true }) AddGradient(_gamma, c => product[c] / _deviation[c]);
        if (_beta.requires_grad) AddGradient(_beta, c => sum[c]);
        if (!writesValue && !writesGradient) return;
        var (slope, level) = (new float[value.Channels], new float[value.Channels]);
        for (var c = 0; c < value.Channels; c++)
        {
            slope[c] = (float)(-Scale[c] * product[c] / (_deviation[c] * _deviation[c] * _count));
            level[c] = (float)(-Scale[c] * sum[c] / _count);
        }
        MapKernels.Backward<TActivation>(value, output, gradient, writesGradient, _center, Scale, Shift, slope, level);
    }

    private static void AddGradient(Tensor weight, Func<int, double> gradientOf)
    {
        using var present = weight.grad;
        using var gradient = present is null ? zeros_like(weight) : null;
        var values = TorchNetwork.Values(present ?? gradient!);
        for (var c = 0; c < values.Length; c++) values[c] += (float)gradientOf(c);
        if (gradient is not null) weight.grad = gradient;
    }
}
