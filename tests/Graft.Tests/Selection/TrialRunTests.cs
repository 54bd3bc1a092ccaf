using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Selection;
using Graft.Testing;
using Graft.Tests.Features;

namespace Graft.Tests.Selection;

public sealed class TrialRunTests : IDisposable
{
    private readonly FeatureScene _scene = new();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _scene.Dispose();
        _folder.Dispose();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private TrialRequest Request(params string[] backbones)
    {
        _scene.Photos(20, classes: 2);
        return new() { Photos = _scene.FullName, Backbones = backbones };
    }

    [Fact]
    public void Network_that_cannot_be_tried_is_recorded_and_the_rest_goes_on()
    {
        var warned = new List<string>();

        var run = TrialRun.Execute(Request("mobilenet_v2=nowhere.pth", "tiny"), new() { Warn = warned.Add }, Cancellation);

        Assert.Equal(["tiny"], run.Ranking.Select(entry => entry.Trial.Name));
        var failed = Assert.Single(run.Trials, trial => trial.Failure is not null);
        Assert.Equal("mobilenet_v2", failed.Name);
        Assert.Contains("There is no weights file nowhere.pth", failed.Failure, StringComparison.Ordinal);
        Assert.Contains("mobilenet_v2", Assert.Single(warned), StringComparison.Ordinal);
        Assert.InRange(run.Ranking[0].Score.Accuracy, 0.5, 1);
        Assert.Contains("nowhere.pth", TrialPage.ToHtml(run), StringComparison.Ordinal);
    }

    [Fact]
    public void Second_start_takes_what_the_first_has_measured()
    {
        var request = Request("tiny");
        using (var folder = TrialFolder.Open(_folder.File("try"), request)) TrialRun.Execute(request, new() { Folder = folder }, Cancellation);
        using var again = TrialFolder.Open(_folder.File("try"), request);
        var steps = new List<string>();

        var run = TrialRun.Execute(request, new() { Folder = again, Progress = new Steps(steps) }, Cancellation);

        Assert.Equal(["Networks"], steps.Distinct());
        Assert.Equal(10, run.Ranking[0].Score.FoldAccuracies.Count);
        Assert.Contains("Another process", Assert.Throws<GraftException>(() => TrialFolder.Open(_folder.File("try"), request)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Changed_photos_are_tried_again_and_another_request_is_refused()
    {
        var request = Request("tiny");
        using (var folder = TrialFolder.Open(_folder.File("try"), request)) TrialRun.Execute(request, new() { Folder = folder }, Cancellation);
        _scene.Photo(50, label: 1);
        using (var folder = TrialFolder.Open(_folder.File("try"), request))
            Assert.Equal(21, TrialRun.Execute(request, new() { Folder = folder }, Cancellation).Ranking[0].Trial.Images);

        Assert.Contains("asked for otherwise", Assert.Throws<GraftException>(() => TrialFolder.Open(_folder.File("try"), request with { Repeats = 3 })).Message, StringComparison.Ordinal);
        File.WriteAllText(_folder.File("mine/notes.txt"), "mine");
        Assert.Contains("not empty", Assert.Throws<GraftException>(() => TrialFolder.Open(_folder.File("mine"), request)).Message, StringComparison.Ordinal);
    }

    /// <summary>As one that the system ends for its memory: twice begun, never ended.</summary>
    [Fact]
    public void Network_that_ends_the_process_is_left_out_the_third_time()
    {
        var request = Request("tiny", "mobilenet_v2=nowhere.pth");
        using var folder = TrialFolder.Open(_folder.File("try"), request);
        Assert.True(folder.TryBegin("tiny"));
        Assert.True(folder.TryBegin("tiny"));

        var problem = Assert.Throws<GraftException>(() => TrialRun.Execute(request, new() { Folder = folder }, Cancellation));

        Assert.Contains("tiny: the process ended twice while it was tried", problem.Message, StringComparison.Ordinal);
        Assert.Contains("No network could be tried", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Photos_that_are_all_alike_are_said_to_be()
    {
        var photo = File.ReadAllBytes(_scene.Photo(1).Path);
        for (var copy = 0; copy < 8; copy++) File.WriteAllBytes(_folder.File($"photos/{(copy < 4 ? "a" : "b")}/{copy}.png"), photo);

        var problem = Assert.Throws<GraftException>(() => TrialRun.Execute(new() { Photos = _folder.File("photos"), Backbones = ["tiny"] }, cancellation: Cancellation));

        Assert.Contains("the same for all photos", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_give_no_numbers_are_said_to_be_damaged()
    {
        using var tiny = Backbone.Load("tiny");
        var file = _folder.File("nan.safetensors");
        SafetensorsWriter.Write(file, [.. tiny.Network.Parameters.Select(parameter =>
            new TensorSource(parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], Enumerable.Repeat(float.NaN, parameter.ElementCount).ToArray()))]);

        var run = TrialRun.Execute(Request($"tiny={file}", "tiny"), cancellation: Cancellation);

        Assert.Contains("nan.safetensors", Assert.Single(run.Trials, trial => trial.Failure is not null).Failure, StringComparison.Ordinal);
        Assert.Single(run.Ranking);
    }

    [Theory]
    [InlineData(1, 3, "class")]
    [InlineData(2, 1, "one photo of each class")]
    public void One_class_and_one_photo_a_class_end_with_a_sentence(int classes, int each, string expected)
    {
        for (var label = 0; label < classes; label++)
            for (var number = 0; number < each; number++) _scene.Photo(10 * label + number, label);

        var problem = Assert.ThrowsAny<GraftException>(() => TrialRun.Execute(new() { Photos = _scene.FullName, Backbones = ["tiny"] }, cancellation: Cancellation));

        Assert.Contains(expected, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_time_left_is_said_and_nothing_of_it_is_kept_as_measured()
    {
        var request = Request("tiny");
        using var folder = TrialFolder.Open(_folder.File("try"), request);

        var problem = Assert.Throws<GraftException>(() => TrialRun.Execute(request, new() { Folder = folder, Limit = TimeSpan.FromTicks(1) }, Cancellation));

        Assert.Contains("no time left", problem.Message, StringComparison.Ordinal);
        Assert.NotEmpty(TrialRun.Execute(request, new() { Folder = folder }, Cancellation).Ranking);
    }

    [Fact]
    public void What_is_wrong_with_a_request_is_told_at_once()
    {
        var problems = new TrialRequest { Photos = "x", Backbones = ["tiny", "tiny", "nonsense"], Classifiers = ["forest"], Repeats = 0, Episodes = new() { Way = 1 } }.Problems();

        Assert.Contains(problems, problem => problem.Contains("tiny is named twice", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("no backbone 'nonsense'", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("no classifier 'forest'", StringComparison.Ordinal));
        Assert.Equal(5, problems.Count);
    }

    [Fact]
    public void Better_trials_stand_first_and_differences_within_luck_are_called_so()
    {
        Trial Of(string name, params double[] folds) => new()
        {
            Name = name,
            Backbone = name,
            Images = 100,
            ImagesPerSecond = 10,
            Scores = [new("logistic", folds.Average(), new(0, 1), 0.9, folds, 0.25, 1)],
        };

        var ranking = RankedTrial.Of([Of("b", 0.86, 0.84, 0.85, 0.88, 0.86), Of("a", 0.90, 0.85, 0.88, 0.92, 0.86), Of("c", 0.5, 0.45, 0.48, 0.5, 0.46)]);

        Assert.Equal(["a", "b", "c"], ranking.Select(entry => entry.Trial.Name));
        Assert.Equal([true, true, false], ranking.Select(entry => entry.IsAsGoodAsBest));
        Assert.Equal(0.1202, ranking[1].PValue!.Value, 1e-4);
    }

    private sealed class Steps(List<string> names) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => names.Add(value.Step);
    }
}
