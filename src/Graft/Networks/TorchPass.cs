using System.Numerics;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// Runs the layers of a network in order and keeps each activation only as long as a layer needs it: in its place where its memory may be reused, with
/// the batch norm after a convolution in the convolution's weights, and in training with the layers fused that <see cref="GradientTape"/> knows.
/// </summary>
/// <param name="tensors">The weights by key.</param>
/// <param name="isTraining">Whether a layer runs in training mode.</param>
internal sealed class TorchPass(Network network, IReadOnlyDictionary<string, Tensor> tensors, Func<Layer, bool> isTraining)
{
    private readonly LayerUses _uses = network.Uses;

    private readonly FusedLayers?[] _fused = [.. network.Layers.Select((_, index) => FusedLayers.From(network, network.Uses, index))];

    /// <summary>Convolutions of which nothing but a batch norm uses the output.</summary>
    private readonly bool[] _isNormalized = [.. network.Layers.Select((layer, index) =>
        layer.Operation is Convolution or SeparableConvolution
        && FoldableLayers.After(network, index) is [var first, ..] && network.Layers[first].Operation is BatchNorm)];

    /// <summary>The part of a training step's batch that comes in; null for all of it.</summary>
    public BatchShare? Share { get; set; }

    /// <summary>Whether a tape saves anything.</summary>
    public bool HasFusedLayers => _fused.Any(fused => fused is not null);

    /// <summary>Runs the layers up to the last of those wanted, by number, and returns the wanted outputs.</summary>
    /// <param name="tape">What finds the gradients, of the last layer's output and of the others that are wanted; null: libtorch, where they are to be found.</param>
    public Tensor[] Run(Tensor input, int[] wanted, GradientTape? tape = null)
    {
        var last = wanted.Max();
        var outputs = new Tensor?[last + 1];
        var isDone = new bool[last + 1];
        // libtorch computes in the layout that maps come in, and is fastest with the channels last.
        using var relaid = input.dim() == 4 ? ChannelsLast(input) : null;
        outputs[0] = relaid ?? input;
        for (var index = 1; index <= last; index++)
        {
            if (isDone[index]) continue;
            var (output, steps) = Step(index);
            outputs[steps[^1]] = output;
            foreach (var step in steps)
            {
                isDone[step] = true;
                // An activation is let go after its last use; in training autograd, or the tape, keeps what it needs.
                foreach (var used in _uses.Inputs(step).Where(used => used != 0 && _uses.Last(used) == step && !wanted.Contains(used)))
                    if (outputs[used] is { } spent && !ReferenceEquals(spent, output) && tape?.Holds(spent) != true) spent.Dispose();
            }
        }
        outputs[0] = input;
        return [.. wanted.Select(index => outputs[index]!)];

        (Tensor Output, IReadOnlyList<int> Steps) Step(int index)
        {
            if (tape is not null && _fused[index] is { } fused && !wanted.Contains(fused.Value) && !fused.Steps.SkipLast(1).Any(wanted.Contains) && outputs[fused.Value] is { } value && Fuse(fused, value) is { } result) return (result, fused.Steps);
            Tensor[] inputs = [.. _uses.Inputs(index).Select(used => outputs[used]!)];
            var first = _uses.Inputs(index)[0];
            // What another layer used before, that layer's gradient may need.
            var overwrites = _uses.IsFree(first) && _uses.Last(first) == index && (_uses.Count(first) == 1 || !is_grad_enabled())
                && !wanted.Contains(first) && tape?.Holds(inputs[0]) != true;
            var folded = IsFolded(index) && !wanted.Contains(index) && _uses.Last(index) <= last;
            IReadOnlyList<int> steps = folded ? [index, _uses.Last(index)] : [index];
            var layer = network.Layers[index];
            var output = Share is not null && layer.Operation is BatchNorm && isTraining(layer)
                ? NormalizeShared(layer, inputs[0])
                : layer.Operation.Accept(new TorchOperation(
                    network, layer, inputs, tensors, isTraining(layer), overwrites, folded ? network.Layers[steps[^1]] : null, Share));
            var isShared = tape is not null && output.requires_grad && (_uses.Count(steps[^1]) > 1 || (steps[^1] < last && wanted.Contains(steps[^1])));
            return (isShared ? tape!.Cut(output) : output, steps);
        }

        // libtorch cannot sum statistics over processes. The tape takes the memory of what it normalizes, so a copy.
        Tensor NormalizeShared(Layer layer, Tensor value)
        {
            var copy = value.clone();
            return tape is not null && Rows.TryOf(copy, out var rows)
                ? tape.Apply(copy, StatisticsOf(layer, rows), addend: null, overwritesAddend: false, activation: null)
                : throw new GraftException(
                    $"The batch norm '{layer.Name}' takes the statistics of the batch, which several processes share only on the CPU and of a multiple of "
                    + $"{Vector<float>.Count} channels. Train it with its moving statistics, or in one process.")
                { Code = "batch-norm-not-shared" };
        }

        // Null where gradients do not run, or the numbers do not lie as the tape's kernels want them.
        Tensor? Fuse(FusedLayers fused, Tensor value)
        {
            var addend = fused.Addend is { } other ? outputs[other] : null;
            if (tape!.Begins(value) || !Rows.TryOf(value, out var rows) || (addend is not null && !Rows.TryOf(addend, out _))) return null;
            BatchStatistics? statistics = null;
            if (fused.Norm is { } norm)
            {
                var layer = network.Layers[norm];
                if (!isTraining(layer)) return null;
                statistics = StatisticsOf(layer, rows);
            }
            else if (!value.requires_grad)
            {
                return null;
            }
            return tape.Apply(value, statistics, addend, fused.Addend is { } sum && _uses.IsFreeForItsOnlyUser(sum) && !wanted.Contains(sum), fused.Activation);
        }
    }

    /// <summary>
    /// Whether a convolution does its batch norm's work: by moving statistics that is one scale and shift for each channel, which its weights
    /// can take. It saves a pass over its output, and where gradients run, keeping that for them.
    /// </summary>
    private bool IsFolded(int index) => _isNormalized[index] && !isTraining(network.Layers[_uses.Last(index)]);

    private BatchStatistics StatisticsOf(Layer layer, Rows rows)
    {
        var op = (BatchNorm)layer.Operation;
        return new(
            rows, op, op.Scale ? tensors[$"{layer.Name}.weight"] : null, tensors[$"{layer.Name}.bias"],
            tensors[$"{layer.Name}.running_mean"], tensors[$"{layer.Name}.running_var"], Share);
    }

    /// <summary>The same map [N, channels, height, width] with the channels of a position side by side in memory.</summary>
    private static Tensor ChannelsLast(Tensor map)
    {
        using var last = map.permute(0, 2, 3, 1);
        using var contiguous = last.contiguous();
        return contiguous.permute(0, 3, 1, 2);
    }
}
