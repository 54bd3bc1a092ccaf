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
        var (first, second) = (SavedRun.Open(scene.Run("first")), SavedRun.Open(scene.Run("second", options: new() { Classifier = new LogisticRegression() })));

        var comparison = RunComparison.Of([first, second]);

        Assert.Equal("test", comparison.Split);
        var pair = Assert.Single(comparison.Pairs);
        var right = first.Predictions.Of("test").Zip(second.Predictions.Of("test"), (a, b) => (a.IsRight, b.IsRight)).ToList();
        Assert.Equal(right.Count(both => both is (true, false)), pair.Test!.OnlyFirst);
        Assert.Equal(right.Count(both => both is (false, true)), pair.Test.OnlySecond);
        Assert.Equal(9, pair.SharedImages);
        Assert.Equal(first.Test!.Accuracy, comparison.Results[0].Accuracy);
    }

    [Fact]
    public void Copies_of_the_images_in_another_folder_are_the_same_images()
    {
        using var scene = new RunScene();
        using var other = new RunScene();
        var comparison = RunComparison.Of([SavedRun.Open(scene.Run("first")), SavedRun.Open(other.Run("second"))]);

        var pair = Assert.Single(comparison.Pairs);

        Assert.NotNull(pair.Test);
        Assert.Equal("first and second are right on the very same images.", pair.Verdict);
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
        string[][] commands = [["/photos", "--epochs", "4"], ["/photos", "--epochs", "8", "--no-batch-norm", "--weights", "a=1", "--weights", "b=2"]];

        var comparison = RunComparison.Of([.. commands.Select((arguments, index) => SavedRun.Open(scene.Run($"run{index}", arguments: arguments)))]);

        Assert.Equal(["--epochs", "--no-batch-norm", "--weights"], comparison.Options.Select(option => option.Name));
        Assert.Equal(["4", "8"], comparison.Options[0].Values);
        Assert.Equal([null, "yes"], comparison.Options[1].Values);
        Assert.Equal([null, "a=1 b=2"], comparison.Options[2].Values);
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
