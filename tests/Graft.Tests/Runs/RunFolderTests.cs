using System.Globalization;
using System.Text;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;
using Graft.Testing;
using Graft.Tests.Features;

namespace Graft.Tests.Runs;

[Collection(nameof(AloneWithTorch))]
public class RunFolderTests
{
    private static TrainingRun Train(FeatureScene scene, FeatureCache? cache = null, TrainingPlan? plan = null, bool test = true)
    {
        var photos = scene.Photos(36, classes: 3);
        var broken = scene.Broken("class0/a \"broken\", photo.jpg");
        LabeledImages data = new(
            scene.FullName, ["a", "b", "c"], [.. photos[..24], broken], photos[24..30], test ? photos[30..] : [],
            skipped: [new("notes.txt", "not an image")], notes: [], validationWasSplit: false);
        return TrainingRun.Execute(
            data, FeatureScene.Backbone(), plan ?? TrainingPlan.OnFeatures(new() { Epochs = 4, LearningRate = 0.02 }), new() { Cache = cache },
            TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Photos_of_one_class_have_no_roc_curve_and_the_scores_say_null()
    {
        var scores = RunText.Scores(EvaluationResult.Of(["cat", "dog"], [0, 0], [[0.9f, 0.1f], [0.8f, 0.2f]]));

        Assert.True(scores.TryGetPropertyValue("roc_auc", out var area));
        Assert.Null(area);
        Assert.Equal(1, (double)scores["accuracy"]!);
    }

    [Fact]
    public void Photos_that_a_model_was_trained_on_are_known_by_their_content()
    {
        using var scene = new RunScene();
        var run = scene.Run("run");
        var rows = File.ReadLines(Path.Combine(run, "photos.csv")).Skip(1).Select(line => line.Split(',').Select(cell => cell.Trim('"')).ToArray()).ToList();
        var trained = rows.Where(row => row[3] == "true").Select(row => row[0]).ToList();
        var others = rows.Where(row => row[3] == "false").Select(row => row[0]).ToList();
        var copy = scene.File("copy.png");
        File.Copy(trained[0], copy);

        Assert.Equal((18, 18), (trained.Count, others.Count));
        Assert.Equal([copy], RunPhotos.TrainedOn(Path.Combine(run, "model.safetensors"), [copy, .. others, scene.File("absent.png")], TestContext.Current.CancellationToken));
        Assert.Equal([.. trained], RunPhotos.TrainedOn(run, trained, TestContext.Current.CancellationToken));
        Assert.Empty(RunPhotos.TrainedOn(scene.FullName, trained, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Folder_that_holds_something_is_not_written_to()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("run/mine.txt"), "mine");

        var problem = Assert.Throws<GraftException>(() => RunFolder.Create(Path.Combine(folder.FullName, "run"), "name"));

        Assert.Contains("Name another folder", problem.Message, StringComparison.Ordinal);
        Assert.Equal(["mine.txt"], Directory.GetFileSystemEntries(Path.Combine(folder.FullName, "run")).Select(path => Path.GetFileName(path)));
    }

    [Fact]
    public void File_in_the_place_of_the_folder_is_an_error_with_advice()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("run"), "mine");

        Assert.Contains("Name another folder", Assert.Throws<GraftException>(() => RunFolder.Create(folder.File("run"), "name")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Runs_without_a_name_are_numbered()
    {
        using var folder = new TemporaryFolder();
        var before = Directory.GetCurrentDirectory();
        Directory.SetCurrentDirectory(folder.FullName);
        try
        {
            var paths = Enumerable.Range(0, 3).Select(_ => RunFolder.Create(null, "photos").FullName).ToList();

            Assert.Equal(["photos", "photos-2", "photos-3"], paths.Select(path => Path.GetFileName(path)));
            Assert.All(paths, path => Assert.True(Directory.Exists(path)));
        }
        finally
        {
            Directory.SetCurrentDirectory(before);
        }
    }

    [Fact]
    public void Folder_in_which_nothing_came_to_be_is_removed_and_any_other_stays()
    {
        using var folder = new TemporaryFolder();
        var run = RunFolder.Create(Path.Combine(folder.FullName, "run"), "name");
        File.WriteAllText(Path.Combine(run.FullName, "file"), "");
        run.DeleteIfEmpty();
        Assert.True(Directory.Exists(run.FullName));

        File.Delete(Path.Combine(run.FullName, "file"));
        run.DeleteIfEmpty();
        Assert.False(Directory.Exists(run.FullName));
    }

    [Fact]
    public void Saved_run_is_complete()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        using var run = Train(scene);
        var saved = RunFolder.Create(Path.Combine(folder.FullName, "run"), "name");

        saved.Save(run);

        Assert.Equal(
            [
                "accuracy.png", "history.csv", "layers.txt", "loss.png", "model.safetensors", "photos.csv", "predictions.csv", "report.txt", "result.json", "skipped.csv",
            ],
            Directory.GetFileSystemEntries(saved.FullName).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        using var model = ImageClassifier.Open(saved.FullName);
        Assert.Equal(["a", "b", "c"], model.Classes);
        var history = File.ReadAllLines(Path.Combine(saved.FullName, "history.csv"));
        Assert.Equal("stage,epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds", history[0]);
        Assert.Equal(4, history.Length - 1);
        var skipped = File.ReadAllText(Path.Combine(saved.FullName, "skipped.csv"));
        Assert.Contains("a \"\"broken\"\", photo.jpg\",", skipped, StringComparison.Ordinal);
        Assert.Contains("\"notes.txt\",\"not an image\"", skipped, StringComparison.Ordinal);
        Assert.Contains("Validation: accuracy", File.ReadAllText(Path.Combine(saved.FullName, "report.txt")), StringComparison.Ordinal);
    }

    [Fact]
    public void Result_has_the_documented_fields()
    {
        using var scene = new FeatureScene();
        using var cache = FeatureCache.Open(scene.CacheFolder);
        using var first = Train(scene, cache);
        using var run = Train(scene, cache);

        using var result = JsonDocument.Parse(RunText.Result(run));

        var root = result.RootElement;
        Assert.Equal(("tiny", "features", "softmax"),
            (root.GetProperty("backbone").GetString(), root.GetProperty("strategy").GetString(), root.GetProperty("classifier").GetString()));
        Assert.Equal(["a", "b", "c"], root.GetProperty("classes").EnumerateArray().Select(name => name.GetString()));
        Assert.Equal(1, root.GetProperty("seed").GetInt32());
        Assert.Equal([24, 6, 6, 2], Numbers("images", "train", "validation", "test", "skipped"));
        Assert.Equal(run.Validation.Accuracy, Numbers("validation", "accuracy")[0]);
        Assert.Equal(run.Test!.MacroF1, Numbers("test", "macro_f1")[0]);
        Assert.True(Numbers("validation", "loss")[0] > 0);
        Assert.All(Numbers("seconds", "features", "training", "total"), seconds => Assert.True(seconds >= 0));
        Assert.Equal([36, 0], Numbers("cache", "hits", "misses"));
        Assert.Equal("model.safetensors", root.GetProperty("model").GetString());

        double[] Numbers(string of, params string[] names) => [.. names.Select(name => root.GetProperty(of).GetProperty(name).GetDouble())];
    }

    [Fact]
    public void Run_without_test_images_has_no_test_result()
    {
        using var scene = new FeatureScene();
        using var run = Train(scene, test: false);

        using var result = JsonDocument.Parse(RunText.Result(run));

        Assert.Null(run.Test);
        Assert.Equal(JsonValueKind.Null, result.RootElement.GetProperty("test").ValueKind);
        Assert.DoesNotContain("Test:", RunText.Report(run), StringComparison.Ordinal);
    }

    [Fact]
    public void Same_seed_gives_the_same_result()
    {
        using var scene = new FeatureScene();
        using var first = Train(scene);
        using var second = Train(scene);

        Assert.Equal(
            first.History!.Epochs.Select(epoch => epoch with { Seconds = 0 }), second.History!.Epochs.Select(epoch => epoch with { Seconds = 0 }));
        Assert.Equal(first.Validation.Loss, second.Validation.Loss);
    }

    [Fact]
    public void Numbers_are_written_alike_in_every_culture()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        using var run = Train(scene);
        var plain = (Report: RunText.Report(run), Result: RunText.Result(run), SixClasses());
        var before = CultureInfo.CurrentCulture;
        // Built by hand: with invariant globalization no culture is known by name.
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.NumberDecimalSeparator = ",";
        culture.NumberFormat.NumberGroupSeparator = ".";
        CultureInfo.CurrentCulture = culture;
        try
        {
            Assert.Equal("0,5", $"{0.5}");
            var saved = RunFolder.Create(Path.Combine(folder.FullName, "run"), "name");
            saved.Save(run);

            Assert.Equal(plain, (RunText.Report(run), RunText.Result(run), SixClasses()));
            Assert.All(File.ReadLines(Path.Combine(saved.FullName, "history.csv")), line => Assert.Equal(8, line.Split(',').Length));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }

        // Of so many, the report has a figure more.
        static string SixClasses()
        {
            var text = new StringBuilder();
            RunText.Append(text, "Test", EvaluationResult.Of(
                [.. "abcdef".Select(letter => $"{letter}")], [0, 1, 2, 3, 4, 5], [.. Enumerable.Repeat(new[] { 0.5f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f }, 6)]));
            return text.ToString();
        }
    }

    [Fact]
    public void Unsuitable_options_are_told_before_a_photo_is_read()
    {
        using var scene = new FeatureScene();
        using var cache = FeatureCache.Open(scene.CacheFolder);

        var problem = Assert.Throws<GraftException>(() => Train(
            scene, cache, TrainingPlan.OnFeatures(new() { Epochs = 0 }, new Head { Dropout = 2 })));

        Assert.Contains("dropout", problem.Message, StringComparison.Ordinal);
        Assert.Contains("epoch", problem.Message, StringComparison.Ordinal);
        using var run = Train(scene, cache);
        Assert.Equal(0, run.CacheHits);
    }

    [Fact]
    public void Training_a_head_leaves_the_backbone_as_it_was()
    {
        using var scene = new FeatureScene();
        using var run = Train(scene);
        using var folder = new TemporaryFolder();
        run.Model.Save(folder.File("model.safetensors"));
        using var saved = Graft.Checkpoints.Checkpoint.Open(folder.File("model.safetensors"));

        var backbone = FeatureScene.Backbone();
        Assert.All(backbone.Network.Parameters, parameter =>
        {
            var (before, after) = (new float[parameter.ElementCount], new float[parameter.ElementCount]);
            backbone.Weights.Read(parameter, before);
            saved.Read(parameter.Key, after);
            Assert.Equal(before, after);
        });
    }
}
