using Graft.Runs;
using Graft.Selection;
using Graft.Testing;
using Graft.Tests.Features;
using Graft.Training;

namespace Graft.Tests.Selection;

public sealed class AutoRunTests : IDisposable
{
    private readonly FeatureScene _scene = new();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _scene.Dispose();
        _folder.Dispose();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private AutoRequest Request(int photos = 30)
    {
        _scene.Photos(photos, classes: 2);
        return new() { Photos = _scene.FullName, Backbones = ["tiny"], Minutes = 5 };
    }

    [Fact]
    public void Photos_become_a_model_and_every_decision_has_its_numbers()
    {
        using var folder = AutoFolder.Create(_folder.File("auto"), Request());

        var run = AutoRun.Execute(folder, new(), Cancellation);

        Assert.Equal(["check", "network", "probe", "training", "keep"], folder.Decisions.Select(decision => decision.Step));
        Assert.Equal("none", folder.Find("training")!.Choice);
        Assert.Contains("too few", folder.Find("training")!.Reason, StringComparison.Ordinal);
        Assert.Equal("features", run.Result.Strategy);
        Assert.True(File.Exists(_folder.File("auto/model.safetensors")) && File.Exists(_folder.File("auto/decisions.json")) && File.Exists(_folder.File("auto/report.html")));
        Assert.Contains("graft auto decided each step", File.ReadAllText(_folder.File("auto/report.html")), StringComparison.Ordinal);
        Assert.Equal(run.Validation.Accuracy, SavedRun.Open(_folder.File("auto")).Validation.Accuracy);
    }

    [Fact]
    public void Interrupted_run_goes_on_and_ends_with_the_same_model()
    {
        var request = Request();
        using (var whole = AutoFolder.Create(_folder.File("whole"), request)) AutoRun.Execute(whole, new(), Cancellation);
        using (var stopped = AutoFolder.Create(_folder.File("stopped"), request))
        {
            using var stop = new CancellationTokenSource();
            Assert.ThrowsAny<OperationCanceledException>(() => AutoRun.Execute(stopped, new() { Progress = new Stop("Choosing", stop) }, stop.Token));
        }
        Assert.False(File.Exists(_folder.File("stopped/result.json")));
        using (var resumed = AutoFolder.Open(_folder.File("stopped")))
        {
            Assert.Equal(["check", "network"], resumed.Decisions.Select(decision => decision.Step));
            AutoRun.Execute(resumed, new(), Cancellation);
        }

        Assert.Equal(File.ReadAllBytes(_folder.File("whole/model.safetensors")), File.ReadAllBytes(_folder.File("stopped/model.safetensors")));
    }

    [Fact]
    public void Layers_are_trained_where_there_are_photos_and_time_and_the_better_is_kept()
    {
        using var folder = AutoFolder.Create(_folder.File("auto"), Request(photos: 40) with { FewestToTrain = 10 });

        var run = AutoRun.Execute(folder, new(), Cancellation);

        Assert.Equal("partial", folder.Find("training")!.Choice);
        Assert.True(File.Exists(_folder.File("auto/runs/trained/result.json")));
        var keep = folder.Find("keep")!;
        Assert.Equal(keep.Choice == "probe" ? "features" : "partial", run.Result.Strategy);
        Assert.Contains("p_value", keep.Numbers.Keys);
    }

    [Fact]
    public void Advice_of_few_photos_is_a_classifier_and_of_many_is_training()
    {
        var few = Advice.Of(Measured(10));
        var many = Advice.Of(Measured(200));
        var other = Advice.Of(Measured(200) with { NearestNeighborBefore = 0.95 });

        Assert.Equal((Strategy.Features, Strategy.Partial, Strategy.FineTune), (few.Strategy, many.Strategy, other.Strategy));
        Assert.Equal("graft train photos --backbone tiny --classifier auto", few.Command);
        Assert.Equal("graft train photos --backbone tiny --strategy partial", many.Command);
        Assert.Equal(("small and similar", "small and different"), (many.Quadrant, other.Quadrant));
        // 400 photos at 40 a second, then 12 epochs of 320 + 80 / 3 photos at 20 a second.
        Assert.Equal(10 + 12 * (320 + 80 / 3.0) / 20, many.Forecast.Seconds, 1e-6);
        Assert.InRange(0.85, few.Forecast.Accuracy.Low, few.Forecast.Accuracy.High);
        Assert.Contains(many.Reasons, reason => reason.Contains("90.0 %", StringComparison.Ordinal) && reason.Contains("80.0 %", StringComparison.Ordinal));
    }

    private static PhotoMeasurements Measured(int each) => new()
    {
        Photos = "photos",
        Backbone = new() { Name = "tiny" },
        Classes = new Dictionary<string, int> { ["a"] = each, ["b"] = each },
        MedianSize = (320, 240),
        Copies = 0,
        Unreadable = 0,
        NearestNeighbor = 0.9,
        NearestNeighborBefore = 0.8,
        LayerBefore = "stage3",
        LogME = 0.3,
        Features = new("lda", 0.85, new(0.8, 0.9), double.NaN, [0.8, 0.9, 0.85, 0.85, 0.85], 0.25, 1),
        FeaturesPerSecond = 40,
        FitSeconds = 1,
        Training = [new(Strategy.Partial, 20, 12), new(Strategy.FineTune, 8, 8)],
        Missing = [],
    };

    private sealed class Stop(string step, CancellationTokenSource source) : IProgress<StepProgress>
    {
        public void Report(StepProgress value)
        {
            if (value.Step == step) source.Cancel();
        }
    }
}
