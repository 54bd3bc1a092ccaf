namespace Graft.Evaluation;

/// <summary>How well a model tells photos of none of its classes.</summary>
/// <param name="Refused">The share of photos of its classes that it calls unlike its training photos.</param>
/// <param name="Others">Photos of none of its classes; 0 where there were none.</param>
/// <param name="RefusedOthers">The share of those that it calls unlike; null without.</param>
/// <param name="RocAuc">The area under ROC with which the distance to the training photos tells the one from the other; null without others.</param>
/// <param name="ProbabilityRocAuc">The same of the probability of the most probable class, small ones standing for others; null without others.</param>
public sealed record NoveltyResult(double Refused, int Others, double? RefusedOthers, double? RocAuc, double? ProbabilityRocAuc)
{
    /// <param name="known">For each photo of the classes how unlike it is, 1 where it begins to be so, and its largest probability.</param>
    /// <param name="others">The same of photos of none of them.</param>
    public static NoveltyResult Of(IReadOnlyList<(double Unlikeness, double Probability)> known, IReadOnlyList<(double Unlikeness, double Probability)> others)
    {
        static double Share(IReadOnlyList<(double Unlikeness, double Probability)> photos) => photos.Average(photo => photo.Unlikeness > 1 ? 1.0 : 0);
        if (others.Count == 0) return new(Share(known), 0, null, null, null);
        bool[] isOther = [.. known.Select(_ => false), .. others.Select(_ => true)];
        double Area(Func<(double Unlikeness, double Probability), double> score) => Discrimination.Of([.. known.Concat(others).Select(score)], isOther).RocAuc;
        return new(Share(known), others.Count, Share(others), Area(photo => photo.Unlikeness), Area(photo => -photo.Probability));
    }
}
