using Graft.Classifiers;

namespace Graft.Tests.Classifiers;

public class CrossValidationTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static (float[][] Rows, int[] Labels) Photos(int seed, int each = 8, double noise = 1.2)
    {
        var random = new Random(seed);
        int[] labels = [.. Enumerable.Range(0, 3 * each).Select(image => image % 3)];
        return ([.. labels.Select(label => Enumerable.Range(0, 12).Select(feature => (float)((feature % 3 == label ? 1 : 0) + noise * (random.NextDouble() - 0.5))).ToArray())], labels);
    }

    [Fact]
    public void Every_image_is_held_out_once_in_each_repetition()
    {
        var (rows, labels) = Photos(1);

        var result = new CrossValidation { Repeats = 3 }.Run(new NearestClassMean(), rows, labels, 3, cancellation: Cancellation);

        Assert.Equal((3, 15), (result.Predictions.Count, result.FoldAccuracies.Count));
        Assert.All(result.Predictions.SelectMany(ofRepeat => ofRepeat), label => Assert.InRange(label, 0, 2));
        Assert.Equal(0.25, result.HeldOutShare, 0.02);
        Assert.InRange(result.Accuracy, 0.9, 1);
    }

    /// <summary>Photos of pure noise, each twice: a neighbor that is the very same photo would give its class away.</summary>
    [Fact]
    public void Copies_of_a_photo_are_held_out_together()
    {
        var random = new Random(5);
        float[][] once = [.. Enumerable.Range(0, 30).Select(_ => Enumerable.Range(0, 6).Select(_ => (float)random.NextDouble()).ToArray())];
        float[][] rows = [.. once, .. once];
        int[] labels = [.. Enumerable.Range(0, 60).Select(image => image % 30 % 2)];
        int[] groups = [.. Enumerable.Range(0, 60).Select(image => image % 30)];
        var nearest = new NearestNeighbors { Neighbors = 1 };

        var apart = new CrossValidation().Run(nearest, rows, labels, 2, cancellation: Cancellation);
        var together = new CrossValidation().Run(nearest, rows, labels, 2, groups, cancellation: Cancellation);

        Assert.InRange(apart.Accuracy, 0.75, 1);
        Assert.InRange(together.Accuracy, 0, 0.72);
    }

    [Fact]
    public void C_of_a_fold_is_chosen_on_the_others()
    {
        var (rows, labels) = Photos(2, each: 12, noise: 4);

        var chosen = new CrossValidation().Run(new LogisticRegression { C = null }, rows, labels, 3, cancellation: Cancellation);
        var weak = new CrossValidation().Run(new LogisticRegression { C = 1e-5 }, rows, labels, 3, cancellation: Cancellation);

        Assert.Equal(chosen.FoldAccuracies.Count, weak.FoldAccuracies.Count);
        Assert.InRange(chosen.Accuracy, weak.Accuracy - 0.1, 1);
        Assert.True(double.IsFinite(chosen.Loss));
    }

    [Fact]
    public void One_image_of_each_class_cannot_be_held_out()
    {
        var problem = Assert.Throws<GraftException>(() => new CrossValidation().Run(new NearestClassMean(), [[1f, 2f], [2f, 1f]], [0, 1], 2, cancellation: Cancellation));

        Assert.Contains("one photo, so none can be held out", problem.Message, StringComparison.Ordinal);
    }

    /// <summary>A ring around a disc, which no straight line divides: the class means are the same.</summary>
    [Fact]
    public void Automatic_classifier_is_the_one_that_cross_validation_prefers()
    {
        var random = new Random(3);
        int[] labels = [.. Enumerable.Range(0, 120).Select(image => image % 2)];
        float[][] rows = [.. labels.Select(label =>
        {
            var (angle, radius) = (2 * Math.PI * random.NextDouble(), label == 0 ? 0.5 * random.NextDouble() : 2 + 0.5 * random.NextDouble());
            return new[] { (float)(radius * Math.Cos(angle)), (float)(radius * Math.Sin(angle)) };
        })];

        var fitted = new AutomaticClassifier().Fit(rows, labels, 2, cancellation: Cancellation);

        Assert.Contains(fitted.Name, (string[])["rbf-svm", "knn", "bayes"]);
        Assert.Contains("chosen among 8 classifiers by cross-validation (accuracy", fitted.Summary, StringComparison.Ordinal);
        Assert.Contains("classifier_candidates", fitted.Facts.Keys);
    }

    [Fact]
    public void First_classifier_within_one_standard_error_of_the_best_is_chosen()
    {
        CrossValidated Of(string name, params double[] folds) => new() { Name = name, FoldAccuracies = folds, HeldOutShare = 0.25, Loss = 1, Predictions = [], Seconds = 0 };
        // "noisy" is behind by 0.02, with a standard error of 0.0577 · √(1/4 + 1/4) = 0.041; "worse" by 0.1 on every fold.
        var noisy = Of("noisy", 0.94, 0.84, 0.94, 0.84);
        var worse = Of("worse", 0.81, 0.81, 0.81, 0.81);
        var best = Of("best", 0.91, 0.91, 0.91, 0.91);

        Assert.Equal("noisy", AutomaticClassifier.Best([worse, noisy, best]).Name);
        Assert.Equal("best", AutomaticClassifier.Best([worse, best, noisy]).Name);
        Assert.Equal("best", AutomaticClassifier.Best([worse, best]).Name);
    }

    [Fact]
    public void Automatic_classifier_of_one_image_a_class_is_the_nearest_centered_mean()
    {
        var fitted = new AutomaticClassifier().Fit([[1f, 2f, 0f], [2f, 1f, 0f], [0f, 0f, 3f]], [0, 1, 2], 3, cancellation: Cancellation);

        Assert.Equal("centered-mean", fitted.Name);
        Assert.Contains("nothing to choose by", fitted.Summary, StringComparison.Ordinal);
    }
}
