using Graft.Classifiers;
using Graft.Runs;
using Graft.Runs.Reports;

namespace Graft.Tests.Runs;

[Collection(nameof(AloneWithTorch))]
public class RunComparisonTests
{
    [Fact]
    public void Runs_on_the_same_images_are_tested_by_the_images_that_only_one_gets_right()
    {
        using var scene = new RunScene();
        var (first, second) = (SavedRun.Open(scene.Run("first")), SavedRun.Open(scene.Run("second", plan: TrainingPlan.OnFeatures(classifier: new LogisticRegression()))));

        var comparison = RunComparison.Of([first, second]);

        Assert.Equal("test", comparison.Split);
        var pair = Assert.Single(comparison.Pairs);
        var right = first.Predictions.Of("test").Zip(second.Predictions.Of("test"), (a, b) => (a.IsCorrect, b.IsCorrect)).ToList();
        Assert.Equal(right.Count(both => both is (true, false)), pair.Test!.OnlyFirst);
        Assert.Equal(right.Count(both => both is (false, true)), pair.Test.OnlySecond);
        Assert.Equal(9, pair.SharedImages);
        Assert.Equal(first.Test!.Accuracy, comparison.Results[0].Accuracy);
    }

    [Theory]
    [InlineData(6, "first is better, hardly by luck: of 9 images 6 are classified correctly by first only, 0 by second only (p = 0.0313).")]
    [InlineData(5, "The difference between first and second may be luck: of 9 images 5 are classified correctly by first only, 0 by second only (p = 0.0625).")]
    public void Difference_is_called_real_where_one_in_twenty_would_be_luck(int errors, string verdict)
    {
        using var scene = new RunScene();
        var (first, second) = (scene.Run("first"), scene.Run("second"));
        RunScene.Predict(first, "test", (_, label) => Sure(label));
        RunScene.Predict(second, "test", (number, label) => Sure(number < errors ? (label + 1) % 3 : label));

        Assert.Equal(verdict, Assert.Single(RunComparison.Of([SavedRun.Open(first), SavedRun.Open(second)]).Pairs).Verdict);

        static float[] Sure(int label) => [.. Enumerable.Range(0, 3).Select(index => index == label ? 0.9f : 0.05f)];
    }

    [Fact]
    public void Photos_that_are_there_twice_are_counted_twice_wherever_they_lie()
    {
        using var scene = new RunScene();
        using var other = new RunScene();
        var runs = new[] { scene, other }.Select(photos =>
        {
            var run = SavedRun.Open(photos.Run("run"));
            File.Copy(run.Predictions.Of("test")[0].Path, run.Predictions.Of("test")[3].Path, overwrite: true);
            return run;
        }).ToList();

        var pair = Assert.Single(RunComparison.Of(runs).Pairs);

        Assert.Equal(9, pair.SharedImages);
        Assert.NotNull(pair.Test);
    }

    [Fact]
    public void Images_that_have_another_label_in_one_run_are_not_compared()
    {
        using var scene = new RunScene();
        var (first, second) = (scene.Run("first"), SavedRun.Open(scene.Run("second")));
        var images = second.Predictions.Images.ToList();
        images[^1] = images[^1] with { Label = (images[^1].Label + 1) % 3 };
        (second.Predictions with { Images = images }).Save(second.Folder);

        var pair = Assert.Single(RunComparison.Of([SavedRun.Open(first), SavedRun.Open(second.Folder)]).Pairs);

        Assert.Null(pair.Test);
        Assert.Contains("but 1 of them had another label", pair.Verdict, StringComparison.Ordinal);
    }

    [Fact]
    public void Copies_of_the_images_in_another_folder_are_the_same_images()
    {
        using var scene = new RunScene();
        using var other = new RunScene();
        var comparison = RunComparison.Of([SavedRun.Open(scene.Run("first")), SavedRun.Open(other.Run("second"))]);

        var pair = Assert.Single(comparison.Pairs);

        Assert.NotNull(pair.Test);
        Assert.Equal("first and second classify the very same images correctly.", pair.Verdict);
        Assert.Contains(comparison.Options, option => option.Name == "photos");
    }

    [Fact]
    public void Runs_on_other_images_are_not_tested_and_the_reason_is_given()
    {
        using var scene = new RunScene();
        var (first, second) = (scene.Run("first"), scene.Run("second"));
        var table = Path.Combine(second, "predictions.csv");
        File.WriteAllLines(table, File.ReadAllLines(table)[..^2]);

        var pair = Assert.Single(RunComparison.Of([SavedRun.Open(first), SavedRun.Open(second)]).Pairs);

        Assert.Null(pair.Test);
        Assert.Equal(7, pair.SharedImages);
        Assert.Contains("on 9 images and second on 7, of which 7 are the same", pair.Verdict, StringComparison.Ordinal);
    }

    [Fact]
    public void Runs_of_other_classes_measure_different_things()
    {
        using var scene = new RunScene();

        var comparison = RunComparison.Of([SavedRun.Open(scene.Run("first")), SavedRun.Open(scene.Run("second", classes: ["a", "b", "d"]))]);

        Assert.Contains("other classes", Assert.Single(comparison.Pairs).Verdict, StringComparison.Ordinal);
        Assert.Contains("The runs tell different classes apart", ComparisonReport.ToHtml(comparison), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_test_images_in_one_run_validation_images_are_compared()
    {
        using var scene = new RunScene();

        var comparison = RunComparison.Of([SavedRun.Open(scene.Run("first")), SavedRun.Open(scene.Run("second", test: false))]);

        Assert.Equal("val", comparison.Split);
        Assert.NotNull(Assert.Single(comparison.Pairs).Test);
    }

    [Fact]
    public void Options_that_differ_are_listed_with_their_values()
    {
        using var scene = new RunScene();
        TrainingRequest[] requests =
        [
            new() { Epochs = 4 },
            new() { Epochs = 8, Standardize = false, Backbones = [new() { Name = "a", Size = 1 }, new() { Name = "b", Size = 2 }] },
        ];

        var comparison = RunComparison.Of([.. requests.Select((request, index) => SavedRun.Open(scene.Run($"run{index}", request: request)))]);

        Assert.Equal(
            ["--backbone: , a+b", "--epochs: 4, 8", "--no-standardize: , yes", "--size: , a=1 b=2"],
            comparison.Options.Select(option => $"{option.Name}: {string.Join(", ", option.Values)}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Page_is_written_once_and_asks_for_nothing()
    {
        using var scene = new RunScene();
        var comparison = RunComparison.Of([.. new[] { "a/run", "b/run", "c/run" }.Select(name => SavedRun.Open(scene.Run(name)))]);
        var path = scene.File("compare.html");

        ComparisonReport.Write(comparison, path);

        Assert.Equal(3, comparison.Pairs.Count);
        Assert.Equal(3, comparison.Names.Distinct().Count());
        var page = File.ReadAllText(path);
        Assert.DoesNotContain("src=", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.Throws<GraftException>(() => ComparisonReport.Write(comparison, path));
        Assert.Throws<GraftException>(() => RunComparison.Of([comparison.Runs[0]]));
    }
}
