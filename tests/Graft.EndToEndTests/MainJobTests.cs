using System.Text.Json;
using Graft.Testing;

namespace Graft.EndToEndTests;

public sealed class MainJobTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_evaluate_and_predict_agree_and_the_second_run_computes_no_features()
    {
        var graft = new GraftCommand(_folder.FullName);
        var first = graft.Run("train", photos.Folder, "--out", _folder.File("first"), "--json");
        Assert.True(first.ExitCode == 0, first.ToString());
        Assert.Equal(24 + 48, Cache(first).Misses);
        Assert.Equal(
            [
                "accuracy.png", "history.csv", "layers.txt", "loss.png", "model.safetensors", "photos.csv", "predictions.csv", "report.html", "report.txt", "result.json",
                "run.json",
            ],
            Directory.GetFiles(_folder.File("first")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(first.Output, File.ReadAllText(_folder.File("first/result.json")));
        var epochs = first.Json.GetProperty("epochs").GetProperty("trained").GetInt32();
        Assert.Equal(epochs + 1, File.ReadAllLines(_folder.File("first/history.csv")).Length);

        var second = graft.Run("train", photos.Folder, "--out", _folder.File("second"), "--json");
        Assert.Equal((72, 0), Cache(second));
        Assert.Equal(File.ReadAllBytes(_folder.File("first/model.safetensors")), File.ReadAllBytes(_folder.File("second/model.safetensors")));

        var evaluation = graft.Run("evaluate", _folder.File("second"), photos.Folder, "--json");
        Assert.True(evaluation.ExitCode == 0, evaluation.ToString());
        Assert.Equal(
            first.Json.GetProperty("test").GetProperty("accuracy").GetDouble(), evaluation.Json.GetProperty("accuracy").GetDouble());
        Assert.Equal((24, 0), Cache(evaluation));

        var written = graft.Run("evaluate", _folder.File("second"), photos.Folder, "--out", _folder.File("evaluation"));
        Assert.True(written.ExitCode == 0, written.ToString());
        Assert.Equal(written.Output, File.ReadAllText(_folder.File("evaluation/report.txt")));
        var rows = File.ReadAllLines(_folder.File("evaluation/predictions.csv"));
        Assert.Equal(1 + 24, rows.Length);
        Assert.Equal(
            evaluation.Json.GetProperty("accuracy").GetDouble(),
            rows.Skip(1).Count(row => row.Split("\",\"") is [_, var label, var rest] && rest.StartsWith(label + "\"", StringComparison.Ordinal)) / 24.0,
            precision: 12);

        var photo = Directory.GetFiles(Path.Combine(photos.Folder, "train/fish"))[0];
        var prediction = graft.Run("predict", _folder.File("first"), photo, "--top", "3", "--json");
        Assert.True(prediction.ExitCode == 0, prediction.ToString());
        var classes = prediction.Json.GetProperty("predictions")[0].GetProperty("classes");
        Assert.Equal(3, classes.GetArrayLength());
        Assert.Equal("fish", classes[0].GetProperty("class").GetString());

        (int Hits, int Misses) Cache(CommandResult result) => (
            result.Json.GetProperty("cache").GetProperty("hits").GetInt32(), result.Json.GetProperty("cache").GetProperty("misses").GetInt32());
    }

    [Fact]
    public void Report_names_accuracy_and_every_class_and_nothing_stays_in_the_temporary_folder()
    {
        var graft = new GraftCommand(_folder.FullName) { WorkingFolder = _folder.FullName };
        var temporary = Directory.CreateDirectory(_folder.File("temporary/x")[..^2]);
        graft.Environment["TMPDIR"] = temporary.FullName;
        var result = graft.Run("train", photos.Folder, "--backbone", "tiny", "--hidden", "16", "--dropout", "0.2", "--optimizer", "rmsprop", "--epochs", "3");

        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Contains("Validation: accuracy", result.Output);
        Assert.Contains("Test: accuracy", result.Output);
        foreach (var name in Directory.GetDirectories(Path.Combine(photos.Folder, "train")).Select(Path.GetFileName))
            Assert.Contains(name!, result.Output);
        Assert.Equal(result.Output, File.ReadAllText(_folder.File("runs/photos-graft_mobilenet_v2_050/report.txt")));
        Assert.Empty(temporary.EnumerateFileSystemInfos());
    }

    [Fact]
    public void Broken_and_foreign_files_are_listed_and_skipped()
    {
        var copy = _folder.File("photos");
        foreach (var file in Directory.GetFiles(photos.Folder, "*", SearchOption.AllDirectories))
            File.Copy(file, _folder.File(Path.Combine("photos", Path.GetRelativePath(photos.Folder, file))));
        var whole = File.ReadAllBytes(Directory.GetFiles(Path.Combine(copy, "train/fish"))[0]);
        File.WriteAllBytes(Path.Combine(copy, "train/fish/cut.jpg"), whole[..(whole.Length / 2)]);
        File.WriteAllText(Path.Combine(copy, "train/cup/words.jpg"), "This is no picture.");
        File.WriteAllText(Path.Combine(copy, "train/cup/notes.txt"), "Nor is this.");

        var result = new GraftCommand(_folder.FullName).Run("train", copy, "--backbone", "tiny", "--out", _folder.File("run"), "--json");

        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Equal(3, result.Json.GetProperty("images").GetProperty("skipped").GetInt32());
        var list = File.ReadAllText(_folder.File("run/skipped.csv"));
        foreach (var name in (string[])["cut.jpg", "words.jpg", "notes.txt"])
        {
            Assert.Contains(name, list);
            Assert.Contains(name, result.Messages);
        }
    }

    [Fact]
    public void Catalog_is_listed_and_layers_add_up_to_the_parameters()
    {
        var graft = new GraftCommand(_folder.FullName);
        var list = graft.Run("models");
        Assert.Contains("mobilenet_v1_075", list.Output);
        Assert.Contains("2,601,976", graft.Run("models", "mobilenet_v1*").Output);

        var show = graft.Run("models", "show", "mobilenet_v1_075", "--json");
        var layers = show.Json.GetProperty("layers").EnumerateArray().ToList();
        Assert.Equal(2_601_976, layers.Sum(layer => layer.GetProperty("parameters").GetInt64() + layer.GetProperty("statistics").GetInt64()));
        Assert.Equal("conv1", layers[1].GetProperty("name").GetString());
        Assert.Equal(JsonValueKind.Array, layers[1].GetProperty("output_shape").ValueKind);
        Assert.Contains("conv_pw_13_relu", graft.Run("models", "show", "mobilenet_v1_075", "--size", "160").Output);
    }

    [Fact]
    public void Help_of_the_command_and_of_every_verb_loads_no_native_library()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "LD_DEBUG is Linux's");
        foreach (var verb in (string[])["", "train", "evaluate", "predict", "report", "compare", "features", "models", "cache", "demo"])
        {
            var trace = _folder.File($"loaded{verb}");
            var graft = new GraftCommand(_folder.FullName) { Environment = { ["LD_DEBUG"] = "files", ["LD_DEBUG_OUTPUT"] = trace } };
            var help = graft.Run([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

            Assert.Equal(0, help.ExitCode);
            Assert.Contains("graft ", help.Output);
            var loaded = string.Concat(Directory.GetFiles(_folder.FullName, $"loaded{verb}.*").Select(File.ReadAllText));
            Assert.Contains("libcoreclr.so", loaded);
            foreach (var library in (string[])["torch", "onnxruntime", "SkiaSharp"]) Assert.DoesNotContain($"{library}", loaded);
        }
    }

    [Fact]
    public void Catalog_network_names_its_own_classes()
    {
        var photo = Directory.GetFiles(Path.Combine(photos.Folder, "train/fish"))[0];
        var result = new GraftCommand(_folder.FullName).Run("predict", "graft_mobilenet_v2_050", photo, "--top", "2", "--json");

        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.All(
            result.Json.GetProperty("predictions")[0].GetProperty("classes").EnumerateArray(),
            entry => Assert.InRange(entry.GetProperty("probability").GetDouble(), 0, 1));
    }
}
