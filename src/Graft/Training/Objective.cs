using Graft.Networks;
using TorchSharp;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>What a step learns from. The tensors live until the step ends.</summary>
/// <param name="Indices">The examples, by number.</param>
/// <param name="Labels">Classes, int64 [N]; -1 where the class is not known.</param>
/// <param name="Targets">See <see cref="IExamples.TargetsOf"/>; each float32 [N, length].</param>
/// <param name="Weights">See <see cref="IExamples.WeightOf"/>; float32 [N], or null where every example counts 1.</param>
public sealed record Batch(IReadOnlyList<int> Indices, Tensor Labels, IReadOnlyList<Tensor> Targets, Tensor? Weights)
{
    /// <summary>The output of the layer that the objective asked for, float32 [N, …]; null where it asked for none.</summary>
    public Tensor? Features { get; init; }

    /// <summary>Places in the batch of the examples whose class is known; null where that is all of them.</summary>
    internal IReadOnlyList<long>? Labeled { get; private init; }

    internal double LabeledShare => Labeled is null ? 1 : (double)Labeled.Count / Indices.Count;

    internal static Batch Of(IExamples examples, int[] indices, int epoch, DeviceType device)
    {
        Tensor OnDevice(Tensor values) => device == DeviceType.CPU ? values : values.to(device);
        var targets = indices.Select(index => examples.TargetsOf(index, epoch)).ToList();
        long[] labels = [.. indices.Select(index => (long)examples.LabelOf(index))];
        long[] labeled = [.. Enumerable.Range(0, labels.Length).Where(place => labels[place] >= 0)];
        var weights = Array.ConvertAll(indices, examples.WeightOf);
        return new(
            indices,
            OnDevice(tensor(labels, ScalarType.Int64)),
            [.. Enumerable.Range(0, targets[0].Count).Select(number =>
                OnDevice(stack([.. targets.Select(ofExample => tensor(ofExample[number]))])))],
            Array.TrueForAll(weights, weight => weight == 1) ? null : OnDevice(tensor(weights)))
        {
            Labeled = labeled.Length == labels.Length ? null : labeled,
        };
    }

    /// <summary>The same with each example in the place of the one as far from the batch's end as it is from its start.</summary>
    internal Batch Reversed() => new(
        [.. Indices.Reverse()], Labels.flip(0), [.. Targets.Select(target => target.flip(0))], Weights?.flip(0))
    {
        Features = Features,
        Labeled = Labeled is null ? null : [.. Labeled.Select(place => Indices.Count - 1 - place).Reverse()],
    };
}

/// <summary>What training makes small.</summary>
public interface IObjective
{
    /// <summary>The layer (or a block's last) whose output <see cref="Batch.Features"/> is to be; null, the default, for none.</summary>
    string? FeatureLayer => null;

    /// <param name="logits">float32 [N, classes].</param>
    /// <returns>A scalar, in nats per example for what is reported as the loss to mean something.</returns>
    Tensor Loss(Tensor logits, Batch batch);

    /// <summary>
    /// How much a part of a batch counts where several processes compute one: the loss of all is the sum of the parts' losses, each times this, over the sum
    /// of these. Default: its number of examples.
    /// </summary>
    double WeightOf(Batch batch) => batch.Indices.Count;
}

/// <summary>
/// Cross-entropy, as PyTorch has it, with the batch's first target as a distribution over the classes where there is one, else with its labels; its
/// mean is weighted by the classes' weights and the examples'. Examples whose class is not known are left out.
/// </summary>
/// <param name="classWeights">float32 [classes]; null for all alike. Stays the caller's.</param>
/// <param name="labelSmoothing">The share of the target that is spread evenly over all classes, from 0, below 1.</param>
public sealed class CrossEntropy(Tensor? classWeights = null, double labelSmoothing = 0) : IObjective
{
    public Tensor Loss(Tensor logits, Batch batch)
    {
        if (batch.Targets.Count == 0 && batch.Labeled is { } labeled)
        {
            if (labeled.Count == 0) return logits.sum() * Number(0.0);
            var places = tensor([.. labeled]).to(logits.device);
            return Loss(logits.index_select(0, places), new([.. labeled.Select(place => batch.Indices[(int)place])], batch.Labels.index_select(0, places), [], batch.Weights?.index_select(0, places)));
        }
        var target = batch.Targets.Count > 0 ? batch.Targets[0] : batch.Labels;
        if (batch.Weights is null) return nn.functional.cross_entropy(logits, target, classWeights, label_smoothing: labelSmoothing);
        var losses = nn.functional.cross_entropy(logits, target, classWeights, reduction: nn.Reduction.None, label_smoothing: labelSmoothing);
        // As PyTorch's mean does with class weights: the sum of the weighted losses over that of the weights.
        return (losses * batch.Weights).sum() / WeightsOf(batch)!.sum();
    }

    public double WeightOf(Batch batch) => WeightsOf(batch)?.sum().Value() ?? batch.Indices.Count;

    /// <summary>What the mean divides by the sum of; null for the number of examples.</summary>
    private Tensor? WeightsOf(Batch batch)
    {
        var ofClasses = classWeights is null || batch.Targets.Count > 0 ? null : classWeights.index_select(0, batch.Labels);
        return batch.Weights is null || ofClasses is null ? batch.Weights ?? ofClasses : batch.Weights * ofClasses;
    }
}
