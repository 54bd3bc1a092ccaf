using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>`graft train --strategy …`, as a process, on drawn photos and the embedded backbone.</summary>
public sealed class FineTuningTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string[] Arguments(string run, params string[] more) => ["train", photos.Folder, "--backbone", "tiny", "--size", "64", "--batch-size", "8", "--out", _folder.File(run), .. more];

    [Fact]
    public void Fine_tuning_prints_what_it_freezes_and_leaves_a_model_that_predicts()
    {
        var graft = new GraftCommand(_folder.FullName);

        var run = graft.Run(Arguments("run", "--strategy", "finetune", "--epochs", "5", "--stage2-epochs", "2", "--unfreeze-from", "features.17", "--json"));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Matches(@"Stage 1, head: [\s\S]*frozen [\d,]+ · trainable [\d,]+[\s\S]*Stage 2, unfrozen: [\s\S]*frozen [\d,]+ · trainable [\d,]+", run.Messages);
        Assert.Matches(@"features\.0\.0 … features\.16\.add +frozen +48 × inference", run.Messages);
        Assert.Contains("Stage 2, epoch 2/2", run.Messages, StringComparison.Ordinal);
        Assert.Equal(
            [
                "accuracy.png", "history.csv", "layers.txt", "loss.png", "model.safetensors", "photos.csv", "predictions.csv", "report.html", "report.txt", "result.json",
                "run.json",
            ],
            Directory.GetFiles(_folder.File("run")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(run.Output, File.ReadAllText(_folder.File("run/result.json")));
        Assert.Equal(1 + 5 + 2, File.ReadAllLines(_folder.File("run/history.csv")).Length);
        Assert.Equal("finetune", run.Json.GetProperty("strategy").GetString());

        var evaluation = graft.Run("evaluate", _folder.File("run"), photos.Folder, "--json");
        Assert.True(evaluation.ExitCode == 0, evaluation.ToString());
        Assert.Equal(run.Json.GetProperty("test").GetProperty("accuracy").GetDouble(), evaluation.Json.GetProperty("accuracy").GetDouble());

        var again = graft.Run("train", "--resume", _folder.File("run"), "--json");
        Assert.Contains("is complete", again.Messages, StringComparison.Ordinal);
        Assert.Equal(run.Output, again.Output);
    }

    [Theory]
    [InlineData("head --augment light --views 2 --head fc")]
    [InlineData("head --augment medium --views 0")]
    [InlineData("partial --label-smoothing 0.1 --class-weights sampling --ema-decay 0.9")]
    [InlineData("full --batch-norm training --mix cutmix --schedule one-cycle --optimizer sgd --learning-rate 0.01 --clip 1")]
    [InlineData("full --freeze 0..100,features.17 --layerwise-learning-rate-decay 0.1 --augment strong")]
    [InlineData("scratch --schedule plateau --mix mixup --warm-up 1")]
    public void Each_strategy_trains_with_its_options(string strategy)
    {
        var graft = new GraftCommand(_folder.FullName);

        var run = graft.Run(Arguments("run", ["--strategy", .. strategy.Split(' '), "--epochs", "2", "--json"]));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.InRange(run.Json.GetProperty("test").GetProperty("accuracy").GetDouble(), 0, 1);
        var photo = Directory.GetFiles(Path.Combine(photos.Folder, "test"), "*", SearchOption.AllDirectories)[0];
        Assert.Equal(0, graft.Run("predict", _folder.File("run"), photo).ExitCode);
    }

    [Fact]
    public void A_small_network_learns_from_a_teacher_also_of_photos_without_labels()
    {
        var graft = new GraftCommand(_folder.FullName);
        var unlabeled = Directory.CreateDirectory(_folder.File("heap")).FullName;
        foreach (var (index, photo) in Directory.GetFiles(Path.Combine(photos.Folder, "train"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Take(3).Index())
            File.Copy(photo, Path.Combine(unlabeled, $"copy{index}{Path.GetExtension(photo)}"));
        foreach (var (index, photo) in Directory.GetFiles(Path.Combine(photos.Folder, "train"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Take(4).Index())
            File.WriteAllBytes(Path.Combine(unlabeled, $"other{index}{Path.GetExtension(photo)}"), [.. File.ReadAllBytes(photo), 0]);
        var teacher = graft.Run("train", photos.Folder, "--backbone", "tiny", "--classifier", "logistic", "--out", _folder.File("teacher"));
        Assert.True(teacher.ExitCode == 0, teacher.ToString());

        var run = graft.Run(Arguments(
            "run", "--strategy", "finetune", "--teacher", _folder.File("teacher"), "--distill", "logits+relations+similarity", "--unlabeled", unlabeled, "--epochs", "3", "--stage2-epochs", "2", "--views", "1",
            "--json"));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(4, run.Json.GetProperty("teacher").GetProperty("unlabeled").GetInt32());
        Assert.Contains("3 of the photos without labels are copies", run.Messages, StringComparison.Ordinal);
        Assert.Contains("Learned from a teacher on graft_mobilenet_v2_050.graft", File.ReadAllText(_folder.File("run/report.txt")), StringComparison.Ordinal);
        Assert.Equal(0, graft.Run("evaluate", _folder.File("run"), photos.Folder).ExitCode);
        Assert.Equal(0, graft.Run("export", _folder.File("run"), "--out", _folder.File("run.onnx")).ExitCode);

        var other = graft.Run(Arguments("other", "--strategy", "full", "--teacher", _folder.File("nothing")));
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("There is no model", other.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public void Head_begins_at_its_optimum_and_little_of_the_network_is_tuned()
    {
        var graft = new GraftCommand(_folder.FullName);
        var probe = graft.Run("train", photos.Folder, "--backbone", "tiny", "--classifier", "logistic", "--C", "auto", "--no-calibrate", "--out", _folder.File("probe"), "--json");
        Assert.True(probe.ExitCode == 0, probe.ToString());

        // At a learning rate of nearly 0 the network stays what the classifier on its features is.
        var run = graft.Run(
            "train", photos.Folder, "--backbone", "tiny", "--strategy", "finetune", "--head-start", "optimum", "--tune", "norms", "--l2-sp", "0.1", "--stage2-epochs", "1",
            "--stage2-learning-rate", "1e-12", "--augment", "none", "--out", _folder.File("run"), "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        foreach (var part in (string[])["linear_probe", "validation"])
            Assert.Equal(probe.Json.GetProperty("validation").GetProperty("accuracy").GetDouble(), run.Json.GetProperty(part).GetProperty("accuracy").GetDouble());
        Assert.Equal(
            probe.Json.GetProperty("validation").GetProperty("loss").GetDouble(), run.Json.GetProperty("linear_probe").GetProperty("loss").GetDouble(), 1e-4);
        Assert.Contains("norms trained", run.Messages, StringComparison.Ordinal);
        Assert.Contains("Head, fitted on frozen features first: logistic regression", File.ReadAllText(_folder.File("run/report.txt")), StringComparison.Ordinal);
    }

    [Fact]
    public void Binary_recipe_of_the_Keras_guide_is_one_command()
    {
        var graft = new GraftCommand(_folder.FullName);
        CopyTwoClasses(kind => Path.GetFileName(kind));

        var run = graft.Run(
            "train", _folder.File("two"), "--backbone", "tiny", "--strategy", "finetune", "--head", "binary", "--flip", "true", "--rotation", "36", "--size", "96",
            "--epochs", "12", "--stage2-epochs", "2", "--optimizer", "adam", "--stage2-learning-rate", "1e-5", "--batch-size", "8", "--out", _folder.File("run"), "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        var predicted = graft.Run("predict", _folder.File("run"), Directory.GetFiles(Path.Combine(photos.Folder, "test"), "*", SearchOption.AllDirectories)[0], "--json");
        Assert.True(predicted.ExitCode == 0, predicted.ToString());
    }

    /// <summary>300 steps, as /proc tells it: the operating system sees what no count of live tensors shows.</summary>
    [Fact]
    public async Task Memory_of_the_process_stays_flat_over_50_epochs()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc tells the memory of a process");
        using var process = new GraftCommand(_folder.FullName).Start(
            "train", photos.Folder, "--backbone", "tiny", "--size", "32", "--batch-size", "8", "--out", _folder.File("run"), "--strategy", "full", "--epochs", "50",
            "--patience", "0", "--ema-decay", "0.9");
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var (messages, sizes) = (new StringBuilder(), new List<long>());

        while (await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            messages.AppendLine(line);
            if (line.StartsWith("Epoch ", StringComparison.Ordinal) && !process.HasExited) sizes.Add(ResidentBytes(process.Id));
        }
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(process.ExitCode == 0, messages + await output);
        Assert.InRange(sizes.Count, 45, 50);
        // What is compiled and allocated once is there after some epochs; a batch left behind in each of the 180 steps since would be 18 MB.
        Assert.InRange(sizes.Skip(20).Max() - sizes.Take(20).Max(), long.MinValue, 8L << 20);
    }

    private static long ResidentBytes(int process) =>
        File.ReadLines($"/proc/{process}/status").Where(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
            .Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024).FirstOrDefault();

    [Fact]
    public void Learning_rates_are_tried_without_training()
    {
        var run = new GraftCommand(_folder.FullName).Run(Arguments("rates", "--strategy", "finetune", "--epochs", "2", "--find-lr", "--json"));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal("unfrozen", run.Json.GetProperty("stage").GetString());
        var rates = run.Json.GetProperty("trials").EnumerateArray().Select(trial => trial.GetProperty("learning_rate").GetDouble()).ToList();
        Assert.Equal(1e-7, rates[0], 12);
        Assert.InRange(rates.Count, 20, 100);
        Assert.Equal(rates.Order(), rates);
        Assert.InRange(run.Json.GetProperty("suggestion").GetDouble(), 1e-7, 0.1);
        Assert.Equal(
            ["learning_rates.csv", "learning_rates.png"],
            Directory.GetFiles(_folder.File("rates")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Trained_model_is_trained_further_with_the_head_it_has()
    {
        var graft = new GraftCommand(_folder.FullName);
        var first = graft.Run("train", photos.Folder, "--backbone", "tiny", "--size", "64", "--out", _folder.File("first"), "--json");
        Assert.True(first.ExitCode == 0, first.ToString());
        double Accuracy(CommandResult run) => run.Json.GetProperty("test").GetProperty("accuracy").GetDouble();
        string[] further = ["--from", _folder.File("first"), "--strategy", "full", "--learning-rate", "1e-6", "--epochs", "1", "--batch-size", "8", "--json"];

        var second = graft.Run(["train", photos.Folder, "--out", _folder.File("second"), .. further]);
        CopyTwoClasses(kind => Path.GetFileName(kind));
        var onSome = graft.Run(["train", _folder.File("two"), "--out", _folder.File("some"), .. further]);

        Assert.True(second.ExitCode == 0, second.ToString());
        Assert.Equal(Accuracy(first), Accuracy(second), 1);
        Assert.True(onSome.ExitCode == 0, onSome.ToString());
        Assert.Equal(Classes(first), Classes(onSome));
    }

    [Fact]
    public void Trained_model_gets_a_new_head_for_classes_that_it_does_not_know()
    {
        var graft = new GraftCommand(_folder.FullName);
        Assert.Equal(0, graft.Run("train", photos.Folder, "--backbone", "tiny", "--size", "64", "--out", _folder.File("first")).ExitCode);
        CopyTwoClasses(kind => $"other {Path.GetFileName(kind)}");

        var run = graft.Run(
            "train", _folder.File("two"), "--from", _folder.File("first"), "--strategy", "partial", "--epochs", "2", "--batch-size", "4",
            "--out", _folder.File("second"), "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Contains("it gets a new head", run.Messages, StringComparison.Ordinal);
        Assert.All(Classes(run), name => Assert.StartsWith("other ", name, StringComparison.Ordinal));
    }

    private static IEnumerable<string?> Classes(CommandResult run) => run.Json.GetProperty("classes").EnumerateArray().Select(name => name.GetString());

    /// <summary>Copies the photos of two classes into the folder <c>two</c>.</summary>
    private void CopyTwoClasses(Func<string, string> name)
    {
        foreach (var kind in Directory.GetDirectories(Path.Combine(photos.Folder, "train")).Order(StringComparer.Ordinal).Take(2))
            foreach (var file in Directory.GetFiles(kind)) File.Copy(file, _folder.File($"two/{name(kind)}/{Path.GetFileName(file)}"));
    }

    [Fact]
    public void Terminated_training_ends_at_its_next_step_and_can_be_resumed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The request to terminate is sent as a signal");
        var graft = new GraftCommand(_folder.FullName);

        var (exitCode, messages) = EndOnce(
            graft, Arguments("killed", "--strategy", "full", "--epochs", "1000", "--patience", "0"), "checkpoints/stage-1-full.safetensors",
            process => Assert.Equal(0, SendSignal(process.Id, 15)));

        Assert.Equal(143, exitCode);
        Assert.Contains("Interrupted. Resume it: graft train --resume", messages, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.File("killed/checkpoints"), "*.partial"));
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int SendSignal(int process, int signal);

    /// <summary>kill -9 at any moment, then the same again, and on to the end: bit for bit what an uninterrupted run gives on one thread.</summary>
    [Fact]
    public void Killed_run_is_resumed_to_the_very_same_model()
    {
        var graft = new GraftCommand(_folder.FullName);
        graft.Environment["OMP_NUM_THREADS"] = "1";
        string[] options = ["--strategy", "finetune", "--epochs", "6", "--stage2-epochs", "3", "--threads", "1", "--seed", "5", "--dropout", "0.3", "--augment", "medium"];
        var whole = graft.Run(Arguments("whole", options));
        Assert.True(whole.ExitCode == 0, whole.ToString());

        KillOnce(graft, Arguments("killed", options), "checkpoints/stage-1-head.safetensors", TimeSpan.Zero);
        Assert.False(File.Exists(_folder.File("killed/result.json")));
        KillOnce(graft, ["train", "--resume", _folder.File("killed")], "checkpoints/stage-2-unfrozen.safetensors", TimeSpan.FromMilliseconds(100));
        var resumed = graft.Run("train", "--resume", _folder.File("killed"), "--json");

        Assert.True(resumed.ExitCode == 0, resumed.ToString());
        Assert.Equal(File.ReadAllBytes(_folder.File("whole/model.safetensors")), File.ReadAllBytes(_folder.File("killed/model.safetensors")));
        Assert.Equal(WithoutSeconds(_folder.File("whole/history.csv")), WithoutSeconds(_folder.File("killed/history.csv")));
        Assert.Empty(Directory.GetFiles(_folder.File("killed/checkpoints"), "*.partial"));

        static string[] WithoutSeconds(string file) => [.. File.ReadAllLines(file).Select(line => line[..line.LastIndexOf(',')])];
    }

    [Fact]
    public void Killed_run_on_features_is_resumed_to_the_very_same_model()
    {
        var graft = new GraftCommand(_folder.FullName);
        string[] options = ["--epochs", "3000", "--patience", "0", "--dropout", "0.3"];
        var whole = graft.Run(Arguments("whole", options));
        Assert.True(whole.ExitCode == 0, whole.ToString());

        KillOnce(graft, Arguments("killed", options), "run.json", TimeSpan.FromMilliseconds(300));
        KillOnce(graft, ["train", "--resume", _folder.File("killed")], "checkpoints/stage-1-head.safetensors", TimeSpan.FromMilliseconds(100));
        Assert.False(File.Exists(_folder.File("killed/result.json")));
        var resumed = graft.Run("train", "--resume", _folder.File("killed"));

        Assert.True(resumed.ExitCode == 0, resumed.ToString());
        Assert.Equal(File.ReadAllBytes(_folder.File("whole/model.safetensors")), File.ReadAllBytes(_folder.File("killed/model.safetensors")));
    }

    private void KillOnce(GraftCommand graft, string[] arguments, string waitFor, TimeSpan then) => EndOnce(graft, arguments, waitFor, process =>
    {
        Thread.Sleep(then);
        process.Kill(entireProcessTree: true);
    });

    private (int ExitCode, string Messages) EndOnce(GraftCommand graft, string[] arguments, string waitFor, Action<Process> end)
    {
        using var process = graft.Start(arguments);
        var (output, messages) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        while (!File.Exists(Path.Combine(_folder.FullName, "killed", waitFor)))
        {
            Assert.False(process.HasExited, $"ended before it could be killed: {(process.HasExited ? messages.Result + output.Result : "")}");
            Thread.Sleep(1);
        }
        end(process);
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)), "It did not end.");
        return (process.ExitCode, messages.Result);
    }

    [Theory]
    [InlineData("--unfreeze-from needs --strategy finetune, partial, full or scratch", "--unfreeze-from", "features.3")]
    [InlineData("--stage2-epochs needs --strategy finetune", "--strategy", "full", "--stage2-epochs", "3")]
    [InlineData("no layer or block", "--strategy", "full", "--freeze", "features.99")]
    [InlineData("--freeze needs --strategy", "--strategy", "head", "--freeze", "features.1")]
    [InlineData("rotation from 0 to 180", "--strategy", "head", "--rotation", "999")]
    [InlineData("--learning-rate above 0", "--strategy", "full", "--learning-rate", "-1")]
    [InlineData("Leave --backbone, --weights, --size", "--strategy", "full", "--from", "nothing")]
    public void Unsuitable_options_are_told_before_a_photo_is_read(string hint, params string[] options)
    {
        var run = new GraftCommand(_folder.FullName).Run(Arguments("run", options));

        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains(hint, run.Messages, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("run")));
    }

    [Fact]
    public void What_cannot_be_resumed_is_told()
    {
        var graft = new GraftCommand(_folder.FullName);

        Assert.Contains("no run folder", graft.Run("train", "--resume", _folder.File("nothing")).Messages, StringComparison.Ordinal);
        Directory.CreateDirectory(_folder.File("empty"));
        Assert.Contains("holds no run.json", graft.Run("train", "--resume", _folder.File("empty")).Messages, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_description_is_complete_json()
    {
        var graft = new GraftCommand(_folder.FullName);
        graft.Run(Arguments("run", "--strategy", "head", "--augment", "none", "--epochs", "1"));

        var description = JsonDocument.Parse(File.ReadAllText(_folder.File("run/run.json"))).RootElement;

        Assert.Equal(Path.GetFullPath(photos.Folder), description.GetProperty("request").GetProperty("photos").GetString());
        Assert.Equal("head", description.GetProperty("request").GetProperty("strategy").GetString());
    }
}
