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
    private readonly Dictionary<Tensor, Place> _ofOutput = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Tensor> _held = new(ReferenceEqualityComparer.Instance);

    /// <summary>Whether backward needs this tensor, so that it must be neither disposed nor overwritten before.</summary>
    public bool Holds(Tensor tensor) => _held.Contains(tensor);

    /// <summary>Whether a piece of graph begins with this tensor, so that a place may not take its memory.</summary>
    public bool Begins(Tensor tensor) => _ofOutput.ContainsKey(tensor);

    /// <summary>Ends a piece of graph: the same numbers, for several layers to use, whose gradients are summed before they go on.</summary>
    public Tensor Cut(Tensor value) => Add(new(value, value.detach()));

    /// <summary>activation(normalized value + addend); any of the three may be missing.</summary>
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
            AddendPlace = addend is null ? null : _ofOutput.GetValueOrDefault(addend),
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
        _ofOutput.Clear();
        _held.Clear();
    }

    private Tensor Add(Place place)
    {
        place.Output.requires_grad = true;
        _places.Add(place);
        _ofOutput.Add(place.Output, place);
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

        /// <summary>The place whose output the addend is; null for none.</summary>
        public Place? AddendPlace { get; init; }

        public ActivationFunction? Activation { get; init; }

        /// <summary>
        /// The output's gradient by way of a sum that it was added in; by way of the layers that it went through, the leaf has it. The two are
        /// added where they are first read.
        /// </summary>
        private Tensor? Bypass { get; set; }

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
            using var bypass = Bypass;
            using var direct = output.grad;
            if (direct is not null) output.grad = null;
            // None: nothing that the loss depends on uses it.
            if ((direct ?? bypass) is not { } gradient) return;
            var second = ReferenceEquals(gradient, bypass) ? null : bypass;
            switch (Activation)
            {
                case null: Backward<NoActivation>(gradient, second); break;
                case ActivationFunction.Relu: Backward<ReluActivation>(gradient, second); break;
                case ActivationFunction.Relu6: Backward<Relu6Activation>(gradient, second); break;
            }
        }

        /// <param name="gradient">Of the output; nothing else holds it, and it is overwritten.</param>
        /// <param name="second">What is to be added to it; null for nothing.</param>
        private void Backward<TActivation>(Tensor gradient, Tensor? second)
            where TActivation : struct, IKernelActivation
        {
            Rows? more = second is null ? null : Rows.Of(second);
            if (Norm is null)
            {
                if (Activation is not null) MapKernels.Mask<TActivation>(Rows.Of(Output), Rows.Of(gradient), more);
                else if (second is not null) gradient.Increase(second);
                Release(Output, second);
                autograd.backward([Value], [gradient]);
            }
            else
            {
                // After a sum, only the output tells where the activation let gradients through.
                Norm.Backward<TActivation>(Rows.Of(Value), IsSum ? Rows.Of(Output) : null, Rows.Of(gradient), more, Value.requires_grad);
                Release(Output, second, Addend is null ? gradient : null);
                using var own = Value.detach();
                if (Value.requires_grad) autograd.backward([Value], [own]);
            }
            Value.Dispose();
            if (Addend is null) return;
            if (AddendPlace is { Bypass: null } place) place.Bypass = gradient.alias();
            else AddGradient(Addend, gradient);
        }

        private static void Release(params ReadOnlySpan<Tensor?> tensors)
        {
            foreach (var tensor in tensors) tensor?.Dispose();
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
        else present.Increase(gradient);
    }
}

/// <summary>A batch norm over one batch: what it normalized by, and where its gradients go.</summary>
internal sealed class BatchStatistics
{
    private readonly double[] _mean, _deviation;
    private readonly float[] _center;
    private readonly Tensor? _gamma;
    private readonly Tensor _beta;
    private readonly long _count;
    private readonly BatchShare? _share;

    /// <summary>Takes the statistics of the rows and moves the moving ones, in place.</summary>
    /// <param name="gamma">Null for 1.</param>
    /// <param name="share">Where other processes have the rest of the batch; null where it is all here.</param>
    public BatchStatistics(Rows rows, BatchNorm op, Tensor? gamma, Tensor beta, Tensor movingMean, Tensor movingVariance, BatchShare? share = null)
    {
        (_gamma, _beta, _share) = (gamma, beta, share);
        (_mean, var variance) = MapKernels.Statistics(rows);
        _count = share?.Join(_mean, variance, rows.Count) ?? rows.Count;
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

    /// <summary>Normalized, scaled and shifted is the value times this, plus <see cref="Shift"/>.</summary>
    public float[] Scale { get; }

    public float[] Shift { get; }

    /// <summary>
    /// Adds to the gradients of gamma and beta, and writes that of the value over it where asked (Ioffe and Szegedy 2015, arXiv:1502.03167,
    /// section 3).
    /// </summary>
    /// <param name="output">After a sum: the activation's output. The gradient with respect to the activation's input, which is the addend's too, is then
    /// written over the gradient.</param>
    /// <param name="more">What is to be added to the gradient; null for nothing.</param>
    public void Backward<TActivation>(Rows value, Rows? output, Rows gradient, Rows? more, bool writesValue)
        where TActivation : struct, IKernelActivation
    {
        var isOnlyRead = output is null && more is null;
        var (sum, product) = MapKernels.GradientSums<TActivation>(value, output, gradient, more, writesGradient: !isOnlyRead, _center, Scale, Shift);
        if (_gamma is { requires_grad: true }) AddGradient(_gamma, c => product[c] / _deviation[c]);
        if (_beta.requires_grad) AddGradient(_beta, c => sum[c]);
        if (!writesValue) return;
        // The gradients of gamma and beta are summed with those of all weights.
        if (_share is not null) (sum, product) = _share.Join(sum, product);
        // What counts for nothing is no part of the statistics.
        if (_share is { Counts: false }) (sum, product) = (new double[sum.Length], new double[sum.Length]);
        var (slope, level) = (new float[value.Channels], new float[value.Channels]);
        for (var c = 0; c < value.Channels; c++)
        {
            slope[c] = (float)(-Scale[c] * product[c] / (_deviation[c] * _deviation[c] * _count));
            level[c] = (float)(-Scale[c] * sum[c] / _count);
        }
        if (isOnlyRead) MapKernels.Backward<TActivation>(value, gradient, _center, Scale, Shift, slope, level);
        else MapKernels.Backward<NoActivation>(value, gradient, _center, Scale, Shift, slope, level);
    }

    private static void AddGradient(Tensor weight, Func<int, double> gradientOf)
    {
        using var gradient = weight.grad ?? zeros_like(weight);
        var values = TorchNetwork.Values(gradient);
        for (var c = 0; c < values.Length; c++) values[c] += (float)gradientOf(c);
        weight.grad = gradient;
    }
}
