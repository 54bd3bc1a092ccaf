using System.Text.Json;
using Graft.Classifiers;
using Graft.Data;
using Graft.Runs;

namespace Graft.Tests.Runs;

[Collection(nameof(AloneWithTorch))]
public class SavedRunTests
{
    [Fact]
    public void Run_read_back_measures_what_was_measured_when_it_was_trained()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run");

        var run = SavedRun.Open(folder);

        using var result = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "result.json")));
        foreach (var (name, measured) in new[] { ("validation", run.Validation), ("test", run.Test!) })
        {
            Assert.Equal(result.RootElement.GetProperty(name).GetProperty("accuracy").GetDouble(), measured.Accuracy);
            Assert.Equal(result.RootElement.GetProperty(name).GetProperty("loss").GetDouble(), measured.Loss);
            Assert.Equal(result.RootElement.GetProperty(name).GetProperty("accuracy_interval")[0].GetDouble(), measured.AccuracyInterval.Low);
        }
        Assert.Equal(9, run.Predictions.Of(PredictionTable.Test).Count);
        Assert.All(run.Predictions.Images, image => Assert.True(File.Exists(image.Path) && image.Place is not null));
        Assert.Equal(4, run.Course!.History.Epochs.Count);
        Assert.Equal(result.RootElement.GetProperty("epochs").GetProperty("best").GetInt32(), run.Course.History.BestEpoch);
        Assert.Equal([new("notes <b>.txt", "not an image")], run.Skipped);
        Assert.Equal([6, 6, 6], run.Result.ClassImages!.Train);
        Assert.StartsWith("Trained a softmax head on tiny", run.Summary, StringComparison.Ordinal);
        Assert.Single(run.Result.Weights!);
    }

    [Fact]
    public void Predictions_are_a_table_of_photos_that_training_reads()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run", classes: ["a \"quoted\", name", "path", "ß"]);

        var photos = LabeledImages.FromCsv(Path.Combine(folder, "predictions.csv"), new() { Classes = ["a \"quoted\", name", "path", "ß"] });

        Assert.Equal((9, 9), (photos.Validation.Count, photos.Test.Count));
        Assert.Equal(["a \"quoted\", name", "path", "ß"], SavedRun.Open(folder).Result.Classes);
    }

    [Fact]
    public void Predictions_with_names_that_act_are_harmless_and_read_back()
    {
        using var scene = new RunScene();
        string[] classes = ["'=1", "=cmd|' /C calc'!A0", "\u202Egpj.\u001b[31m"];
        var folder = scene.Run("run", classes: classes);

        var text = File.ReadAllText(Path.Combine(folder, "predictions.csv"));

        Assert.DoesNotContain(",\"=", text, StringComparison.Ordinal);
        Assert.DoesNotContain(text, letter => letter is '\u202E' or '\u001b');
        Assert.Equal((9, 9), LabeledImages.FromCsv(Path.Combine(folder, "predictions.csv"), new() { Classes = classes }) is var photos
            ? (photos.Validation.Count, photos.Test.Count) : default);
        Assert.Equal(18, PredictionTable.Load(folder, classes)!.Images.Count);
    }

    [Theory]
    [InlineData("map_y", "mapy", "and not the other")]
    [InlineData("p(a)", "q(a)", "columns")]
    [InlineData(".png\"", ".png\0\"", "NUL character")]
    [InlineData("\nval", "\nval", null)]
    public void Damaged_predictions_are_told(string written, string damaged, string? problem)
    {
        using var scene = new RunScene();
        var folder = scene.Run("run", classes: ["a", "b", "c"]);
        var path = Path.Combine(folder, "predictions.csv");
        File.WriteAllText(path, File.ReadAllText(path).Replace(written, damaged, StringComparison.Ordinal));

        if (problem is null) Assert.NotNull(PredictionTable.Load(folder, ["a", "b", "c"]));
        else Assert.Contains(problem, Assert.Throws<GraftException>(() => PredictionTable.Load(folder, ["a", "b", "c"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Probabilities_that_are_no_numbers_are_told()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run", classes: ["a", "b", "c"]);
        var path = Path.Combine(folder, "predictions.csv");
        var lines = File.ReadAllLines(path);
        lines[1] = lines[1][..(lines[1].LastIndexOf(',') + 1)] + "NaN";
        File.WriteAllLines(path, lines);

        Assert.Contains("'NaN' where a number", Assert.Throws<GraftException>(() => PredictionTable.Load(folder, ["a", "b", "c"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Classifier_fitted_in_one_go_has_no_course()
    {
        using var scene = new RunScene();

        var run = SavedRun.Open(scene.Run("run", test: false, plan: TrainingPlan.OnFeatures(classifier: new LogisticRegression())));

        Assert.Null(run.Course);
        Assert.Null(run.Test);
        Assert.Equal("logistic", run.Result.Classifier);
    }

    [Fact]
    public void Command_is_quoted_for_a_shell()
    {
        var description = RunDescription.Of(new()
        {
            Photos = "/my photos/it's",
            Backbones = [new() { Name = "mobilenet_v2", Layer = "features.*" }],
            Hidden = [512, 256],
            Standardize = false,
            C = TrainingRequest.AutomaticC,
        });

        Assert.Equal(
            @"graft train '/my photos/it'\''s' --backbone mobilenet_v2 --layer 'features.*' --C auto --no-standardize --hidden 512,256",
            description.Command());
    }

    [Fact]
    public void What_is_no_finished_run_is_told_with_what_to_do()
    {
        using var scene = new RunScene();
        var folder = scene.Run("run");

        Assert.Contains("no run folder", Problem(scene.File("absent")), StringComparison.Ordinal);
        Assert.Contains("result.json", Problem(scene.FullName), StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, "result.json"));
        var unfinished = Assert.Throws<GraftException>(() => SavedRun.Open(folder));
        Assert.Equal(("run-not-finished", folder), (unfinished.Code, unfinished.Value));
        File.WriteAllText(Path.Combine(folder, "run.json"), $$"""{ "arguments": ["{{scene.Photos}}", "--epochs", "4"], "begun": "2026-01-01T00:00:00+00:00" }""");
        Assert.Contains($"Start it again: graft train {scene.Photos} --epochs 4", Problem(folder), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, "result.json"), """{ "loss": 0.5, "epochs": { "trained": 3 } }""");
        Assert.Contains("does not say what was trained", Problem(folder), StringComparison.Ordinal);
        folder = scene.Run("older");
        File.Delete(Path.Combine(folder, "predictions.csv"));
        Assert.Contains("Train it again", Problem(folder), StringComparison.Ordinal);
        folder = scene.Run("damaged");
        File.WriteAllText(Path.Combine(folder, "predictions.csv"), "path,label,split\n1,a,val\n");
        Assert.Contains("columns", Problem(folder), StringComparison.Ordinal);
        folder = scene.Run("edited");
        var table = Path.Combine(folder, "predictions.csv");
        var lines = File.ReadAllLines(table);
        lines[2] = lines[2][..lines[2].LastIndexOf(',')] + ",much";
        File.WriteAllLines(table, lines);
        Assert.Contains("line 3 has 'much' where a number should be", Problem(folder), StringComparison.Ordinal);

        static string Problem(string folder) => Assert.Throws<GraftException>(() => SavedRun.Open(folder)).Message;
    }
}
