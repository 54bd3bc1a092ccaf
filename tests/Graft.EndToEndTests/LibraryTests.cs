using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;
using Graft.Testing;
using Graft.Training;

namespace Graft.EndToEndTests;

public sealed class LibraryTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>
{
    /// <summary>The README's snippet, on drawn photos and the embedded backbone.</summary>
    [Fact]
    public void Main_job_is_a_few_lines_of_code()
    {
        using var folder = new TemporaryFolder();

        using var backbone = Backbone.Load(BackboneCatalog.Default);
        using var features = backbone.Features();
        using var cache = FeatureCache.Open(folder.File("cache"));
        using var run = TrainingRun.Execute(
            LabeledImages.Load(photos.Folder), features, TrainingPlan.OnFeatures(head: Head.Dense(64, dropout: 0.5)), new() { Cache = cache },
            TestContext.Current.CancellationToken);

        Assert.Equal(photos.Folder, run.Photos.Source);
        Assert.InRange(run.Test!.Accuracy, 1.5 / run.Photos.Classes.Count, 1);
        Assert.Contains("macro avg", run.Validation.Report.ToString());
        var photo = run.Photos.Train[0];
        Assert.Equal(run.Photos.Classes[photo.Class], run.Model.Predict(photo.Path).Class);
    }

    /// <summary>Started from C# and resumed by the command, and the other way round; kept from a second process all the while.</summary>
    [Theory]
    [InlineData(Strategy.Features)]
    [InlineData(Strategy.Full)]
    public async Task Run_is_resumed_by_the_command_and_by_code_whoever_started_it(Strategy strategy)
    {
        using var folder = new TemporaryFolder();
        var graft = new GraftCommand(folder.FullName);
        TrainingRequest request = new()
        {
            Photos = photos.Folder,
            Backbones = [new() { Name = "graft_mobilenet_v2_050", Size = 64 }],
            Strategy = strategy,
            Epochs = 6,
            Patience = 0,
            BatchSize = 8,
        };
        var whole = graft.Run(
            "train", photos.Folder, "--backbone", "graft_mobilenet_v2_050", "--size", "64", "--strategy", $"{strategy}".ToLowerInvariant(), "--epochs", "6",
            "--patience", "0", "--batch-size", "8", "--out", folder.File("whole"), "--json");
        Assert.True(whole.ExitCode == 0, whole.ToString());

        using var ending = new CancellationTokenSource();
        var interrupt = new Interruption(ending, folder.File("code"), graft);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => TrainingRun.ExecuteAsync(request, folder.File("code"), interrupt, ending.Token));
        Assert.False(File.Exists(folder.File("code/result.json")));
        var resumed = graft.Run("train", "--resume", folder.File("code"), "--json");

        Assert.True(resumed.ExitCode == 0, resumed.ToString());
        Assert.Contains("Another process trains in", interrupt.Refusal, StringComparison.Ordinal);
        Assert.Equal(Accuracy(whole), Accuracy(resumed), 1e-6);

        // As a killed process leaves it.
        Directory.CreateDirectory(folder.File("command"));
        File.Copy(folder.File("whole/run.json"), folder.File("command/run.json"));
        using var run = await TrainingRun.ResumeAsync(folder.File("command"), cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(Accuracy(whole), run.Validation.Accuracy, 1e-6);
        Assert.True(File.Exists(folder.File("command/report.html")));
        await Assert.ThrowsAsync<GraftException>(() => TrainingRun.ResumeAsync(folder.File("command"), cancellation: TestContext.Current.CancellationToken));

        static double Accuracy(CommandResult result) => result.Json.GetProperty("validation").GetProperty("accuracy").GetDouble();
    }

    /// <summary>Once training has begun, tries to resume the run by the command, and interrupts it.</summary>
    private sealed class Interruption(CancellationTokenSource ending, string folder, GraftCommand graft) : IProgress<StepProgress>
    {
        public string Refusal { get; private set; } = "";

        public void Report(StepProgress value)
        {
            if (value.Training is null || ending.IsCancellationRequested) return;
            Refusal = graft.Run("train", "--resume", folder).Messages;
            ending.Cancel();
        }
    }

    [Fact]
    public void Features_can_be_taken_after_any_block()
    {
        using var backbone = Backbone.Load(EmbeddedBackbone.Name);

        using var early = backbone.CutAfter("features.7").Pooled();

        Assert.Equal(32, early.Network.OutputShape.ElementCount);
    }
}
