using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>What a student learns of its teacher.</summary>
[Flags]
public enum DistillationTerms
{
    None = 0,

    /// <summary>The teacher's probabilities (Hinton, Vinyals and Dean 2015, arXiv:1503.02531).</summary>
    Logits = 1,

    /// <summary>How far apart photos of a batch lie, and at which angles (Park et al. 2019, arXiv:1904.05068).</summary>
    Relations = 2,

    /// <summary>How alike photos of a batch are (Tung and Mori 2019, arXiv:1907.09682).</summary>
    Similarity = 4,
}

/// <summary>How a network learns from a teacher beside the labels.</summary>
public sealed record DistillationOptions
{
    /// <summary>Default <see cref="DistillationTerms.Logits"/>; relations and similarity may be added to it.</summary>
    public DistillationTerms Terms { get; init; } = DistillationTerms.Logits;

    /// <summary>What logits of both are divided by, more than 0: a higher one shows more of what the teacher takes a photo for second. Default 4.</summary>
    [Range(0, double.PositiveInfinity, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double Temperature { get; init; } = 4;

    /// <summary>The part of the loss that is the teacher's probabilities; the rest is the labels'. From 0 to 1. Default 0.9.</summary>
    [Range(0.0, 1.0)]
    public double TeacherShare { get; init; } = 0.9;

    /// <summary>At least 0. Default 25, as RepDistiller takes it.</summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double DistanceWeight { get; init; } = 25;

    /// <summary>At least 0. Default 50, as RepDistiller takes it.</summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double AngleWeight { get; init; } = 50;

    /// <summary>At least 0. Default 3000, as RepDistiller takes it.</summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double SimilarityWeight { get; init; } = 3000;

    internal bool NeedsFeatures => (Terms & ~DistillationTerms.Logits) != 0;

    internal string Sentence
    {
        get
        {
            List<string> parts = [];
            if (Terms.HasFlag(DistillationTerms.Logits)) parts.Add(string.Create(CultureInfo.InvariantCulture, $"its probabilities at temperature {Temperature}, {100 * TeacherShare:0.#} % of the loss"));
            if (Terms.HasFlag(DistillationTerms.Relations)) parts.Add("distances and angles between photos");
            if (Terms.HasFlag(DistillationTerms.Similarity)) parts.Add("which photos are alike");
            return string.Join("; ", parts);
        }
    }

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() =>
        [.. DeclaredRanges.ProblemsOf(this), .. Terms == DistillationTerms.None ? (string[])["Expected something to learn from the teacher, found nothing."] : []];
}

/// <summary>
/// (1 − a)·cross-entropy + a·T²·KL(teacher ‖ student), both softened by the temperature T, and terms of the relations between the photos of a batch. Each photo counts the
/// same; one without a label has no cross-entropy.
/// </summary>
/// <param name="options">What is learned, and how much it counts.</param>
/// <param name="layer">The student's layer whose output is compared with the teacher's features; null to leave relations out.</param>
/// <param name="labels">The part that goes by labels.</param>
internal sealed class Distillation(DistillationOptions options, string? layer, IObjective labels) : IObjective
{
    public string? FeatureLayer => layer;

    /// <param name="batch">Its targets are the teacher's logits [N, classes] and, where relations are learned, features [N, d].</param>
    public Tensor Loss(Tensor logits, Batch batch)
    {
        var hasLogits = options.Terms.HasFlag(DistillationTerms.Logits);
        var own = labels.Loss(logits, batch with { Targets = [] }) * Number((hasLogits ? 1 - options.TeacherShare : 1) * batch.LabeledShare);
        var loss = hasLogits ? own.Plus(OfLogits(logits, batch.Targets[0], options.Temperature) * Number(options.TeacherShare)) : own;
        if (batch.Features is not { } student || layer is null) return loss;
        var teacher = batch.Targets[1];
        if (options.Terms.HasFlag(DistillationTerms.Relations))
            loss = loss.Plus(OfDistances(student, teacher) * Number(options.DistanceWeight)).Plus(OfAngles(student, teacher) * Number(options.AngleWeight));
        return options.Terms.HasFlag(DistillationTerms.Similarity) ? loss.Plus(OfSimilarity(student, teacher) * Number(options.SimilarityWeight)) : loss;
    }

    /// <summary>T²·KL of softened probabilities, its mean over the photos.</summary>
    internal static Tensor OfLogits(Tensor student, Tensor teacher, double temperature)
    {
        var soft = nn.functional.log_softmax(student / Number(temperature), 1);
        var target = nn.functional.log_softmax(teacher / Number(temperature), 1);
        return (target.exp() * (target - soft)).sum() * Number(temperature * temperature / student.shape[0]);
    }

    /// <summary>Smooth L1 between both networks' distances of every two photos, each divided by its mean.</summary>
    internal static Tensor OfDistances(Tensor student, Tensor teacher)
    {
        return nn.functional.smooth_l1_loss(Scaled(student), Scaled(teacher));

        static Tensor Scaled(Tensor features)
        {
            var count = (int)features.shape[0];
            var squares = features.Squared().sum(1, keepdim: true);
            var products = features.mm(features.t());
            var others = ones(count, count, dtype: features.dtype) - eye(count, dtype: features.dtype);
            // The root's slope at 0 is infinite: a photo's distance from itself is left out before and after.
            var distances = squares.Plus(squares.t()).Plus(products * Number(-2.0)).clamp_min(Number(1e-12)).sqrt() * others;
            var isApart = distances.detach().gt(Number(1e-6)).to_type(features.dtype);
            var mean = (distances * isApart).sum() / isApart.sum().clamp_min(Number(1.0));
            return distances / mean.clamp_min(Number(1e-12));
        }
    }

    /// <summary>Smooth L1 between both networks' cosines of the angle at each photo between every two others.</summary>
    internal static Tensor OfAngles(Tensor student, Tensor teacher)
    {
        return nn.functional.smooth_l1_loss(Cosines(student), Cosines(teacher));

        // [N, d] → [N, N, N]
        static Tensor Cosines(Tensor features)
        {
            var differences = features.unsqueeze(0) - features.unsqueeze(1);
            var directions = nn.functional.normalize(differences, p: 2, dim: 2);
            return directions.bmm(directions.transpose(1, 2));
        }
    }

    /// <summary>The squared difference of both networks' matrices of scalar products, whose rows are scaled to length 1; over the square of the number of photos.</summary>
    internal static Tensor OfSimilarity(Tensor student, Tensor teacher)
    {
        var count = (double)student.shape[0];
        return (Products(student) - Products(teacher)).Squared().sum() * Number(1 / (count * count));

        static Tensor Products(Tensor features) => nn.functional.normalize(features.mm(features.t()), p: 2, dim: 1);
    }
}
