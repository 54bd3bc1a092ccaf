using Graft.Classifiers;
using Graft.Data;
using Graft.Unlabeled;

namespace Graft.Tests.Unlabeled;

public class PseudoLabelingTests
{
    /// <summary>Two clouds, in which the labeled photos lie at the near edges; those above 2 are of neither.</summary>
    private static (float[][] Labeled, int[] Labels, float[][] Unlabeled, int[] Truth) Clouds(int labels = 3)
    {
        var random = new SplitMix64(7);
        float[] Point(int label, double shift) => [(float)((label == 0 ? -1.2 : 1.2) + shift + 0.4 * random.NextGaussian()), (float)(0.4 * random.NextGaussian())];
        float[][] labeled = [.. Enumerable.Range(0, 2 * labels).Select(photo => Point(photo % 2, photo % 2 == 0 ? 0.5 : 0.9))];
        int[] truth = [.. Enumerable.Range(0, 200).Select(photo => photo % 2)];
        return (labeled, [.. Enumerable.Range(0, 2 * labels).Select(photo => photo % 2)], [.. truth.Select(label => Point(label, 0))], truth);
    }

    private static readonly FeatureClassifier Classifier = new NearestClassMean { Standardize = false };

    [Fact]
    public void Rounds_take_more_of_each_class_and_end_with_nearly_all()
    {
        var (labeled, labels, unlabeled, truth) = Clouds();

        var result = new SelfTraining().Run(Classifier, new(labeled, labels, 2, unlabeled), cancellation: TestContext.Current.CancellationToken);

        Assert.True(result.Rounds.Zip(result.Rounds.Skip(1)).All(pair => pair.First.Labels <= pair.Second.Labels));
        double Right(FittedClassifier fitted) => fitted.Probabilities(unlabeled).Zip(truth, (row, label) => (row[1] > row[0] ? 1 : 0) == label ? 1.0 : 0).Average();
        Assert.True(Right(result.After) > Right(result.Before));
        Assert.InRange(Right(result.After), 0.97, 1);
    }

    [Fact]
    public void Class_with_too_few_labels_gets_none()
    {
        var (labeled, labels, unlabeled, _) = Clouds(labels: 2);

        var result = new SelfTraining().Run(Classifier, new(labeled, labels, 2, unlabeled), cancellation: TestContext.Current.CancellationToken);

        Assert.All(result.Labels, label => Assert.Equal(LabelReason.FewLabels, label.Reason));
        Assert.Same(result.Before, result.After);
    }

    [Fact]
    public void Photos_unlike_the_others_and_those_among_others_are_left_out()
    {
        var (labeled, labels, unlabeled, _) = Clouds();
        var isUnlike = unlabeled.Select((_, photo) => photo < 10).ToArray();
        // One photo of the left cloud's kind amid the right cloud would be named by its neighbors otherwise.
        var result = new SelfTraining().Run(Classifier, new(labeled, labels, 2, unlabeled) { IsUnlike = isUnlike }, cancellation: TestContext.Current.CancellationToken);

        Assert.All(result.Labels.Take(10), label => Assert.Equal((LabelReason.Unlike, 0), (label.Reason, label.Round)));
        Assert.All(result.Labels.Where(label => label.Reason == LabelReason.Labeled), label => Assert.InRange(label.Round, 1, 5));
        Assert.Equal(10, result.LeftOut[LabelReason.Unlike]);
    }

    [Fact]
    public void No_class_outgrows_its_share()
    {
        var (labeled, labels, unlabeled, truth) = Clouds();
        // Nine of ten unlabeled photos are of one class, of which there are as many labels as of the other.
        float[][] lopsided = [.. unlabeled.Where((_, photo) => truth[photo] == 0), .. unlabeled.Where((_, photo) => truth[photo] == 1).Take(10)];

        var result = new SelfTraining { MostDrift = 1.2, MostPerLabel = 1000 }.Run(Classifier, new(labeled, labels, 2, lopsided), cancellation: TestContext.Current.CancellationToken);

        Assert.True(result.LeftOut.GetValueOrDefault(LabelReason.Quota) > 0);
    }

    [Fact]
    public void Rounds_that_lose_no_labeled_photos_are_gone()
    {
        var (labeled, labels, unlabeled, _) = Clouds(labels: 10);

        var trial = new SelfTraining().Try(Classifier, new(labeled, labels, 2, unlabeled), cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(6, trial.Accuracies.Count);
        Assert.Equal(5, trial.Rounds);
        // One photo of twenty is no loss beyond chance.
        Assert.InRange(trial.Accuracies[5], trial.Accuracies[0] - 0.05, 1);
    }

    /// <summary>Unlabeled photos whose two clouds lie the other way round: what they teach is wrong, and the labeled photos alone stay.</summary>
    [Fact]
    public void Rounds_that_make_things_worse_are_taken_back()
    {
        var random = new SplitMix64(3);
        // Classes differ in the second feature; the unlabeled clouds lie apart in the first, and across both classes.
        float[] Point(double x, double y) => [(float)(x + 0.2 * random.NextGaussian()), (float)(y + 0.2 * random.NextGaussian())];
        int[] labels = [.. Enumerable.Range(0, 40).Select(photo => photo % 2)];
        float[][] labeled = [.. labels.Select((label, photo) => Point(photo % 4 < 2 ? -0.4 : 0.4, label == 0 ? -0.35 : 0.35))];
        float[][] unlabeled = [.. Enumerable.Range(0, 300).Select(photo => photo % 2 == 0 ? Point(-6, 0.25) : Point(6, -0.25))];

        var trial = new SelfTraining { Neighbors = 0, MostPerLabel = 1000 }.Try(Classifier, new(labeled, labels, 2, unlabeled), cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(0, trial.Rounds);
        Assert.InRange(trial.Accuracies[5], 0, trial.Accuracies[0] - 0.1);
    }

    /// <summary>Two half rings, one within the other (0 and 1), with three labels at one end of each: what is nearest to a mean is often of the other ring, and neighbors lead along the ring.</summary>
    private static PartlyLabeled Rings()
    {
        var random = new SplitMix64(11);
        float[] Point(int label, double turn)
        {
            // By directions: photos are neighbors by the angle between their features.
            var (x, y) = label == 0 ? (Math.Cos(turn), Math.Sin(turn)) : (1 - Math.Cos(turn), 0.5 - Math.Sin(turn));
            return [(float)(x + 0.05 * random.NextGaussian()), (float)(y + 0.05 * random.NextGaussian()), 3];
        }
        int[] labels = [.. Enumerable.Range(0, 6).Select(photo => photo % 2)], truth = [.. Enumerable.Range(0, 300).Select(photo => photo % 2)];
        return new([.. labels.Select((label, photo) => Point(label, 0.1 * (photo / 2)))], labels, 2, [.. truth.Select((label, photo) => Point(label, Math.PI * (photo / 2) / 150))]);
    }

    [Fact]
    public void Label_spreading_names_photos_along_their_neighbors()
    {
        var data = Rings();
        double Right(PseudoLabeling method) => method.Run(Classifier, data, cancellation: TestContext.Current.CancellationToken).Labels
            .Select((label, photo) => label.Reason == LabelReason.Labeled && label.Class == photo % 2 ? 1.0 : 0).Average();

        Assert.InRange(Right(new LabelSpreading()), 0.95, 1);
        Assert.InRange(Right(new SelfTraining()), 0, 0.9);
    }

    [Fact]
    public void Label_spreading_takes_more_names_in_each_round_and_has_the_same_guards()
    {
        var token = TestContext.Current.CancellationToken;
        var data = Rings() with { IsUnlike = [.. Enumerable.Range(0, 300).Select(photo => photo < 10)] };

        var result = new LabelSpreading().Run(Classifier, data, cancellation: token);

        Assert.True(result.Rounds.Zip(result.Rounds.Skip(1)).All(pair => pair.First.Labels < pair.Second.Labels));
        Assert.All(result.Labels.Take(10), label => Assert.Equal((LabelReason.Unlike, 0), (label.Reason, label.Round)));
        Assert.All(new LabelSpreading().Run(Classifier, data.WithLabeled([0, 1, 2, 3]), cancellation: token).Labels.Skip(10), label => Assert.Equal(LabelReason.FewLabels, label.Reason));
        Assert.True(new LabelSpreading { MostPerLabel = 1 }.Run(Classifier, data, cancellation: token).LeftOut[LabelReason.Quota] > 0);
    }

    /// <summary>Photos apart, each other's nearest, that no way leads to from a labeled one.</summary>
    [Fact]
    public void Photo_that_no_label_spreads_to_gets_none()
    {
        var (labeled, labels, unlabeled, _) = Clouds();
        float[][] apart = [.. Enumerable.Range(0, 12).Select(photo => new[] { 0, 0, 1 + 0.01f * photo })];
        static float[] Padded(float[] row) => [.. row, 0];
        PartlyLabeled data = new([.. labeled.Select(Padded)], labels, 2, [.. unlabeled.Select(Padded), .. apart]);

        var result = new LabelSpreading().Run(Classifier, data, cancellation: TestContext.Current.CancellationToken);

        Assert.All(result.Labels.TakeLast(12), label => Assert.Equal((LabelReason.Unreached, 0.0), (label.Reason, label.Probability)));
        Assert.DoesNotContain(result.Labels.Take(200), label => label.Reason == LabelReason.Unreached);
    }

    /// <summary>A photo that is held out has no part in the graph: it would join photos that are not joined without it.</summary>
    [Fact]
    public void Graph_without_some_photos_is_that_of_the_others()
    {
        var (labeled, labels, unlabeled, _) = Clouds();
        var data = new LabelSpreading().WithGraph(new(labeled, labels, 2, unlabeled), TestContext.Current.CancellationToken);

        var graph = data.WithLabeled([1, 4]).Graph!;

        Assert.Equal(202, graph.Neighbors.Count);
        int[] places = [.. Enumerable.Range(0, 200), 201, 204];
        for (var photo = 0; photo < 202; photo++)
        {
            var expected = data.Graph!.Neighbors[places[photo]].Where(places.Contains).Select(other => Array.IndexOf(places, other)).ToArray();
            Assert.Equal(expected, graph.Neighbors[photo]);
            Assert.Equal(expected.Length, graph.Similarities[photo].Length);
        }
    }

    /// <summary>Views of a photo, which are moved to the side, are fitted on with it and held out with it; photos are named as they are.</summary>
    [Fact]
    public void Classifier_is_fitted_on_views_and_names_photos_as_they_are()
    {
        var (labeled, labels, unlabeled, _) = Clouds(labels: 10);
        IReadOnlyList<IReadOnlyList<float[]>> Views(float[][] rows) => [.. Enumerable.Range(1, 2).Select(view => (IReadOnlyList<float[]>)[.. rows.Select(row => new[] { row[0] + 0.3f * view, row[1] + 4 * view })])];
        PartlyLabeled data = new(labeled, labels, 2, unlabeled) { LabeledViews = Views(labeled), UnlabeledViews = Views(unlabeled) };
        var token = TestContext.Current.CancellationToken;

        var result = new SelfTraining { Last = 1 }.Run(Classifier, data, cancellation: token);

        FittedClassifier Fit(float[][] rows, int[] names) => Classifier.Fit(
            [.. rows, .. Views(rows).SelectMany(view => view)], [.. names, .. names, .. names], 2,
            groups: [.. Enumerable.Range(0, 3 * rows.Length).Select(row => row % rows.Length)], cancellation: token);
        float[] Answers(FittedClassifier fitted) => [.. fitted.Probabilities(unlabeled).SelectMany(row => row)];
        int[] taken = [.. Enumerable.Range(0, 200).Where(photo => result.Labels[photo].Reason == LabelReason.Labeled)];
        var first = Fit(labeled, labels);
        Assert.Equal(first.Probabilities(unlabeled).Select(row => (double)row.Max()), result.Labels.Select(label => label.Probability));
        Assert.Equal(Answers(first), Answers(result.Before));
        Assert.Equal(Answers(Fit([.. labeled, .. taken.Select(photo => unlabeled[photo])], [.. labels, .. taken.Select(photo => result.Labels[photo].Class)])), Answers(result.After));
    }
}
