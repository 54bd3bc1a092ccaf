using Graft.Classifiers;

namespace Graft.Unlabeled;

/// <summary>Self-training in a curriculum: in each round the classifier of the round before names the unlabeled photos.</summary>
public sealed record SelfTraining : PseudoLabeling
{
    public override string Name => "self-training";

    private protected override NeighborGraph GraphOf(PartlyLabeled data, CancellationToken cancellation) =>
        Neighbors == 0 ? new([], []) : NeighborGraph.Of(data.Unlabeled, Neighbors, cancellation);

    private protected override Func<FittedClassifier, IReadOnlyList<float[]>> Naming(PartlyLabeled data, CancellationToken cancellation) =>
        fitted => fitted.Probabilities(data.Unlabeled);
}
