using Graft.Classifiers;
using Graft.Data;
using Graft.Unlabeled;

namespace Graft.Tests.Unlabeled;

public class SelfTrainingTests
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

        var result = new SelfTraining().Run(Classifier, labeled, labels, 2, unlabeled, cancellation: TestContext.Current.CancellationToken);

        Assert.True(result.Rounds.Zip(result.Rounds.Skip(1)).All(pair => pair.First.Labels <= pair.Second.Labels));
        double Right(FittedClassifier fitted) => fitted.Probabilities(unlabeled).Zip(truth, (row, label) => (row[1] > row[0] ? 1 : 0) == label ? 1.0 : 0).Average();
        Assert.True(Right(result.After) > Right(result.Before));
        Assert.InRange(Right(result.After), 0.97, 1);
    }

    [Fact]
    public void Class_with_too_few_labels_gets_none()
    {
        var (labeled, labels, unlabeled, _) = Clouds(labels: 2);

        var result = new SelfTraining().Run(Classifier, labeled, labels, 2, unlabeled, cancellation: TestContext.Current.CancellationToken);

        Assert.All(result.Labels, label => Assert.Equal(LabelReason.FewLabels, label.Reason));
        Assert.Same(result.Before, result.After);
    }

    [Fact]
    public void Photos_unlike_the_others_and_those_among_others_are_left_out()
    {
        var (labeled, labels, unlabeled, _) = Clouds();
        var isUnlike = unlabeled.Select((_, photo) => photo < 10).ToArray();
        // One photo of the left cloud's kind amid the right cloud would be named by its neighbors otherwise.
        var result = new SelfTraining().Run(Classifier, labeled, labels, 2, unlabeled, isUnlike, cancellation: TestContext.Current.CancellationToken);

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

        var result = new SelfTraining { MostDrift = 1.2, MostPerLabel = 1000 }.Run(Classifier, labeled, labels, 2, lopsided, cancellation: TestContext.Current.CancellationToken);

        Assert.True(result.LeftOut.GetValueOrDefault(LabelReason.Quota) > 0);
    }

    [Fact]
    public void Rounds_that_lose_no_labeled_photos_are_gone()
    {
        var (labeled, labels, unlabeled, _) = Clouds(labels: 10);

        var trial = new SelfTraining().Try(Classifier, labeled, labels, 2, unlabeled, cancellation: TestContext.Current.CancellationToken);

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

        var trial = new SelfTraining { Neighbors = 0, MostPerLabel = 1000 }.Try(Classifier, labeled, labels, 2, unlabeled, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(0, trial.Rounds);
        Assert.InRange(trial.Accuracies[5], 0, trial.Accuracies[0] - 0.1);
    }
}
