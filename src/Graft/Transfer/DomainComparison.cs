using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Transfer;

/// <summary>How different photos of two sources are, by their features.</summary>
public sealed record DomainComparison
{
    private const int MostAxes = 64;

    /// <summary>Halves of the first source that are compared for what chance gives.</summary>
    private const int Draws = 5;

    /// <summary>
    /// Proxy A-distance: 2·(1 − 2·err) of a classifier that tells the sources apart, cross-validated, both counting the same (Ben-David et al. 2007). 0 for
    /// sources that cannot be told apart, 2 for ones that always can; at least 0.
    /// </summary>
    public required double ProxyADistance { get; init; }

    /// <summary>Squared Fréchet distance on the first 64 principal axes of both, over as many photos of each; see <see cref="Evaluation.Transferability.FrechetDistance"/>.</summary>
    public required double FrechetDistance { get; init; }

    /// <summary>The same between random halves of one source, the mean over both sources: what chance gives, where there are photos enough.</summary>
    public required double FrechetDistanceOfHalves { get; init; }

    /// <summary>The distance between the means, in standard deviations: its square over the mean of the total variances.</summary>
    public required double MeanShift { get; init; }

    /// <summary>The cosine between the mean features: 1 where they point in one direction.</summary>
    public required double MeanCosine { get; init; }

    /// <summary>What the figures mean, in a sentence.</summary>
    public string Verdict => ProxyADistance switch
    {
        < 0.5 => "These look like photos of one domain: pool them.",
        < 1.5 => "The sources differ somewhat: compare balanced and coral with pool on labeled photos.",
        _ => "The sources can be told apart: this is another domain, or another camera. Weight or align: balanced with labels, coral or jda without.",
    };

    /// <param name="first">Features of at least 4 photos.</param>
    /// <param name="second">Of at least 4 photos, of the same length.</param>
    /// <exception cref="GraftException">Too few photos.</exception>
    public static DomainComparison Of(
        IReadOnlyList<float[]> first, IReadOnlyList<float[]> second, int seed = 1, CancellationToken cancellation = default)
    {
        if (first.Count < 4 || second.Count < 4) throw new GraftException($"Expected at least 4 photos of each source, found {first.Count} and {second.Count}.");
        if (first[0].Length != second[0].Length) throw new GraftException($"Expected features of one length, found {first[0].Length} and {second[0].Length}.");
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var (a, b) = (TransferData.Matrix(first), TransferData.Matrix(second));
        var (axes, middle) = PrincipalAxes.Of(cat([a, b], 0), MostAxes);
        var (ra, rb) = (Rows((a - middle).mm(axes)), Rows((b - middle).mm(axes)));
        var (meanA, meanB) = (a.mean([0], keepdim: true), b.mean([0], keepdim: true));
        var variance = ((a - meanA).Squared().sum(1).mean().Value() + (b - meanB).Squared().sum(1).mean().Value()) / 2;
        var probabilities = new LogisticRegression { Calibrate = false, ClassWeights = Data.ClassWeighting.Balanced }.OutOfFoldProbabilities(
            [.. ra, .. rb], [.. ra.Select(_ => 0), .. rb.Select(_ => 1)], 2, seed, cancellation: cancellation);
        double Wrong(int from, int count, int label) => Enumerable.Range(from, count).Average(row => probabilities[2 * row + label] < 0.5 ? 1.0 : 0);
        var error = (Wrong(0, ra.Length, 0) + Wrong(ra.Length, rb.Length, 1)) / 2;
        // As many of each: the estimate grows with fewer photos.
        var half = Math.Min(ra.Length, rb.Length) / 2;
        var random = new Random(seed);
        var (between, within) = (0.0, 0.0);
        for (var draw = 0; draw < Draws; draw++)
        {
            cancellation.ThrowIfCancellationRequested();
            float[][] drawnA = [.. ra], drawnB = [.. rb];
            random.Shuffle(drawnA);
            random.Shuffle(drawnB);
            between += Evaluation.Transferability.FrechetDistance.Squared(drawnA[..half], drawnB[..half]) / Draws;
            within += (Evaluation.Transferability.FrechetDistance.Squared(drawnA[..half], drawnA[half..(2 * half)])
                + Evaluation.Transferability.FrechetDistance.Squared(drawnB[..half], drawnB[half..(2 * half)])) / (2 * Draws);
        }
        return new()
        {
            ProxyADistance = Math.Max(0, 2 * (1 - 2 * error)),
            FrechetDistance = between,
            FrechetDistanceOfHalves = within,
            MeanShift = variance > 0 ? Math.Sqrt((meanA - meanB).Squared().sum().Value() / variance) : 0,
            MeanCosine = (meanA * meanB).sum().Value() / Math.Max(1e-300, Math.Sqrt(meanA.Squared().sum().Value() * meanB.Squared().sum().Value())),
        };

        static float[][] Rows(Tensor values) => [.. values.ToFloats().Chunk((int)values.shape[1])];
    }
}
