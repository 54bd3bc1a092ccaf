using Graft.Classifiers;
using Graft.Data;
using Graft.Runs;

namespace Graft.Tests.Classifiers;

public class NoveltyTests
{
    private const int Length = 24;

    /// <summary>Three classes that differ in their direction, and photos of another.</summary>
    private static (float[][] Rows, int[] Labels) Photos(int ofClass, ulong seed, int[]? classes = null)
    {
        var random = new SplitMix64(seed);
        int[] labels = [.. Enumerable.Range(0, ofClass * (classes ?? [0, 1, 2]).Length).Select(photo => (classes ?? [0, 1, 2])[photo % (classes ?? [0, 1, 2]).Length])];
        return ([.. labels.Select(label => Enumerable.Range(0, Length).Select(feature => (float)((feature / 4 == label ? 4 : 0) + random.NextGaussian())).ToArray())], labels);
    }

    private static Novelty Fitted(float[][]? others = null, int validation = 100)
    {
        var ((rows, labels), (known, knownLabels)) = (Photos(60, 1), Photos(validation / 3 + 1, 2));
        return NoveltyFit.Fit(rows, labels, known[..validation], knownLabels[..validation], others ?? [], "features", seed: 1)!;
    }

    [Fact]
    public void Photos_of_another_kind_are_farther_than_nearly_all_of_the_same()
    {
        var novelty = Fitted();
        var cut = novelty.Cut(0.05)!.Value;

        Assert.InRange(novelty.Distances(Photos(300, 3).Rows).Average(distance => distance > cut ? 1.0 : 0), 0, 0.1);
        Assert.InRange(novelty.Distances(Photos(100, 4, [5]).Rows).Average(distance => distance > cut ? 1.0 : 0), 0.95, 1);
        Assert.Equal(2, novelty.RocAuc.Count);
        Assert.Equal(novelty.RocAuc[novelty.Measure], novelty.RocAuc.Values.Max());
    }

    /// <summary>Whatever their distribution, no more photos are refused than was promised, in the mean over draws.</summary>
    [Fact]
    public void Promised_share_is_refused()
    {
        var refused = Enumerable.Range(0, 20).Average(draw =>
        {
            var ((rows, labels), (known, knownLabels)) = (Photos(30, (ulong)(100 + draw)), Photos(20, (ulong)(200 + draw)));
            var novelty = NoveltyFit.Fit(rows, labels, known, knownLabels, [], "features", seed: 1)!;
            return novelty.Distances(Photos(100, (ulong)(300 + draw)).Rows).Average(distance => distance > novelty.Cut(0.1) ? 1.0 : 0);
        });
        Assert.InRange(refused, 0.06, 0.12);
    }

    [Fact]
    public void Too_few_validation_photos_promise_nothing()
    {
        Assert.Null(Fitted(validation: 30).Cut(0.02));
        Assert.NotNull(Fitted(validation: 49).Cut(0.02));
    }

    [Fact]
    public void Photos_of_none_of_the_classes_choose_the_measure()
    {
        var novelty = Fitted(others: Photos(30, 5, [5]).Rows);
        Assert.InRange(novelty.RocAuc[novelty.Measure], 0.95, 1);
    }

    /// <summary>Photos of the classes in the place of others: that they cannot be told is said with figures, and with what to do.</summary>
    [Fact]
    public void Others_that_look_like_the_classes_are_doubted()
    {
        var (told, alike) = (Fitted(others: Photos(30, 5, [5]).Rows), Fitted(others: Photos(4, 6).Rows));

        Assert.Equal(told.Distances(Photos(30, 5, [5]).Rows).Average(distance => distance > told.Cut(0.05) ? 1.0 : 0), told.RefusedOthers(0.05));
        Assert.Null(RunText.Doubt(told, 0.05));
        Assert.Null(RunText.Doubt(Fitted(), 0.05));
        Assert.InRange(alike.RocAuc[alike.Measure], 0.4, 0.7);
        var share = alike.RefusedOthers(0.05)!.Value;
        Assert.InRange(share, 0, 0.3);
        var doubt = RunText.Doubt(alike, 0.05)!;
        Assert.StartsWith("The 12 photos of none of the classes are hardly told from the others: ", doubt, StringComparison.Ordinal);
        Assert.Contains(FormattableString.Invariant($"{100 * share:0} % of them are called unlike, area under ROC {alike.RocAuc[alike.Measure]:0.00}"), doubt, StringComparison.Ordinal);
        // Far enough to be told in the order, not by the cut.
        Assert.Contains("0 % of them are called unlike", RunText.Doubt(told with { OtherDistances = [told.Cut(0.05)!.Value is var cut ? (float)cut : 0] }, 0.05)!, StringComparison.Ordinal);
        // Without a cut, the area alone says it.
        Assert.Contains("hardly told from the others: area under ROC", RunText.Doubt(Fitted(others: Photos(4, 6).Rows, validation: 30), 0.02)!, StringComparison.Ordinal);
    }

    [Fact]
    public void Features_that_do_not_vary_say_nothing()
    {
        float[][] same = [.. Enumerable.Repeat(new float[Length], 10)];
        Assert.Null(NoveltyFit.Fit(same, [.. Enumerable.Range(0, 10).Select(photo => photo % 2)], same, new int[10], [], "features", seed: 1));
    }

    /// <summary>
    /// With fewer photos than features, components fit the training photos better than others: without what lies beyond the components, the training photos would be the most
    /// unlike. Others that only are larger are told by class means alone, since neighbors look at directions.
    /// </summary>
    [Fact]
    public void Training_photos_are_like_themselves_by_class_means_too()
    {
        var random = new SplitMix64(9);
        float[][] Rows(int count, double scale) => [.. Enumerable.Range(0, count).Select(photo => Enumerable.Range(0, 400)
            .Select(feature => (float)(scale * ((feature % 2 == photo % 2 ? 1 : 0) + 0.5 * random.NextGaussian()))).ToArray())];
        int[] Labels(int count) => [.. Enumerable.Range(0, count).Select(photo => photo % 2)];
        var training = Rows(200, 1);

        var novelty = NoveltyFit.Fit(training, Labels(200), Rows(100, 1), Labels(100), Rows(40, 1.6), "features", seed: 1)!;

        Assert.Equal((NoveltyMeasure.Mahalanobis, 40), (novelty.Measure, novelty.Others));
        Assert.InRange(novelty.RocAuc[NoveltyMeasure.Mahalanobis], 0.99, 1);
        var cut = novelty.Cut(0.05)!.Value;
        Assert.InRange(novelty.Distances(training).Average(distance => distance > cut ? 1.0 : 0), 0, 0.05);
        Assert.InRange(novelty.Distances(Rows(200, 1)).Average(distance => distance > cut ? 1.0 : 0), 0, 0.12);
    }
}
