using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>`mpirun -n N graft …` on drawn photos and the embedded backbone.</summary>
public sealed partial class RanksTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    /// <summary>What two threads differ by from one, over the few steps of these trainings: float32 sums in another order.</summary>
    private const double LossTolerance = 1e-4;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Two_ranks_train_what_one_process_trains()
    {
        var (one, two) = (Train(1, "one"), Train(2, "two"));

        Assert.True(one.ExitCode == 0, one.ToString());
        Assert.True(two.ExitCode == 0, two.ToString());
        Assert.Contains("2 ranks: of the 8 images of a step, each computes 4.", two.Messages, StringComparison.Ordinal);
        Assert.Single(Stage().Matches(two.Messages));
        AssertSameHistory("one", "two");
        Assert.Equal(
            one.Json.GetProperty("validation").GetProperty("accuracy").GetDouble(), two.Json.GetProperty("validation").GetProperty("accuracy").GetDouble());
    }

    /// <summary>A run that is killed at some moment is resumed on another number of ranks.</summary>
    [Theory]
    [InlineData(0, 3, 1)]
    [InlineData(1, 5, 2)]
    public async Task A_killed_rank_ends_the_job_with_its_name_and_the_run_resumes(int rank, int epochs, int resumedBy)
    {
        var undisturbed = Train(2, "undisturbed");
        Assert.True(undisturbed.ExitCode == 0, undisturbed.ToString());

        using (var job = Mpi(2).Start(Arguments("killed")))
        {
            var messages = job.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            var output = job.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            Wait(() => job.HasExited || CountOf(Path.Combine(_folder.File("killed"), "checkpoints")) > 0);
            await Task.Delay(epochs * 50, TestContext.Current.CancellationToken);
            if (ProcessOf(rank, job.Id) is { } process) Process.GetProcessById(process).Kill();
            Assert.True(job.WaitForExit(TimeSpan.FromMinutes(1)), "The other rank still waits.");
            var said = await output + await messages;
            Assert.True(job.ExitCode != 0, said);
            Assert.Matches($@"(rank {rank} with PID|rank {rank} of 2)", said);
        }
        var resumed = (resumedBy == 1 ? new GraftCommand(_folder.FullName) : Mpi(resumedBy)).Run("train", "--resume", _folder.File("killed"), "--json");

        Assert.True(resumed.ExitCode == 0, resumed.ToString());
        AssertSameHistory("undisturbed", "killed");
    }

    [Fact]
    public void Features_of_two_ranks_are_those_of_one_process()
    {
        var one = new GraftCommand(_folder.FullName).Run("features", photos.Folder, "--backbone", "tiny", "--size", "64", "--no-cache", "--out", _folder.File("one.npz"));
        var two = Mpi(2).Run("features", photos.Folder, "--backbone", "tiny", "--size", "64", "--no-cache", "--out", _folder.File("two.npz"), "--json");

        Assert.True(one.ExitCode == 0, one.ToString());
        Assert.True(two.ExitCode == 0, two.ToString());
        Assert.Equal(File.ReadAllBytes(_folder.File("one.npz")), File.ReadAllBytes(_folder.File("two.npz")));
        Assert.Equal(0, two.Json.GetProperty("cache").GetProperty("hits").GetInt32());
    }

    [Fact]
    public void A_classifier_on_features_of_two_ranks_is_that_of_one_process()
    {
        string[] arguments = ["train", photos.Folder, "--backbone", "tiny", "--size", "64", "--classifier", "logistic", "--no-cache", "--no-report", "--json"];
        var one = new GraftCommand(_folder.FullName).Run([.. arguments, "--out", _folder.File("one")]);
        var two = Mpi(2).Run([.. arguments, "--out", _folder.File("two")]);

        Assert.True(two.ExitCode == 0, two.ToString());
        Assert.Equal(one.Json.GetProperty("test").GetRawText(), two.Json.GetProperty("test").GetRawText());
    }

    [Fact]
    public void Networks_are_tried_by_two_ranks_as_by_one_process()
    {
        string[] arguments = ["try", photos.Folder, "--backbones", "tiny,resnet18.cntk", "--repeats", "1", "--json"];
        var one = new GraftCommand(_folder.FullName).Run([.. arguments, "--out", _folder.File("one")]);
        var two = Mpi(2).Run([.. arguments, "--out", _folder.File("two")]);

        Assert.True(two.ExitCode == 0, two.ToString());
        static IEnumerable<(string?, double)> Accuracies(CommandResult result) => result.Json.GetProperty("trials").EnumerateArray()
            .Select(trial => (trial.GetProperty("network").GetString(), trial.GetProperty("accuracy").GetDouble()));
        Assert.Equal(Accuracies(one), Accuracies(two));
        Assert.Equal(2, Directory.GetFiles(_folder.File("two"), "trial-*.json").Length);
    }

    [Fact]
    public void Ranks_that_see_other_photos_are_told_before_they_train()
    {
        Copy(photos.Folder, _folder.File("here/photos"));
        Copy(photos.Folder, _folder.File("there/photos"));
        var photo = Directory.GetFiles(_folder.File("there/photos"), "*", SearchOption.AllDirectories)[0];
        File.Copy(photo, Path.Combine(Path.GetDirectoryName(photo)!, "one-more" + Path.GetExtension(photo)));
        string[] train = ["train", "photos", "--backbone", "tiny", "--size", "64", "--strategy", "full", "--epochs", "1", "--out", _folder.File("run")];

        var result = Mpi(1, "-wdir", _folder.File("here")).Run([.. train, ":", "-n", "1", "-wdir", _folder.File("there"), .. GraftCommand.Words, .. train]);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("rank 1 of 2 on", result.Messages, StringComparison.Ordinal);
        Assert.Contains("has other photos than rank 0 of 2", result.Messages, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("run/run.json")));
    }

    [Fact]
    public void Missing_photos_are_said_once()
    {
        var result = Mpi(2).Run("train", _folder.File("nothing"), "--strategy", "full");

        Assert.NotEqual(0, result.ExitCode);
        Assert.Single(Regex.Matches(result.Messages, "nothing"));
    }

    [Fact]
    public void A_missing_Open_MPI_is_named_with_the_package_that_has_it()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Open MPI's library is looked for on Linux.");
        File.WriteAllText(_folder.File("libmpi.so.40"), "no library");
        var graft = new GraftCommand(_folder.FullName);
        (graft.Environment["OMPI_COMM_WORLD_SIZE"], graft.Environment["OMPI_COMM_WORLD_RANK"]) = ("2", "0");
        graft.Environment["LD_LIBRARY_PATH"] = _folder.FullName;

        var result = graft.Run("train", photos.Folder, "--backbone", "tiny", "--strategy", "full");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("libmpi.so.40 cannot be loaded", result.Messages, StringComparison.Ordinal);
        Assert.Contains("openmpi-bin", result.Messages, StringComparison.Ordinal);
    }

    private CommandResult Train(int ranks, string run) => (ranks == 1 ? new GraftCommand(_folder.FullName) : Mpi(ranks)).Run(Arguments(run));

    /// <summary>Five epochs of every layer, by steps small enough for rounding to stay rounding.</summary>
    private string[] Arguments(string run) =>
    [
        "train", photos.Folder, "--backbone", "tiny", "--size", "64", "--strategy", "full", "--epochs", "5", "--batch-size", "8", "--threads", "1",
        "--optimizer", "sgd", "--learning-rate", "1e-6", "--no-report", "--json", "--out", _folder.File(run),
    ];

    private GraftCommand Mpi(int ranks, params string[] more)
    {
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "mpirun"))),
            "mpirun is not installed (Debian, Ubuntu: apt install openmpi-bin).");
        var graft = new GraftCommand(_folder.FullName)
        {
            Launcher = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", ranks.ToString(CultureInfo.InvariantCulture), .. more],
        };
        return graft;
    }

    private void AssertSameHistory(string expected, string actual)
    {
        var (one, other) = (Losses(expected), Losses(actual));
        Assert.Equal(one.Count, other.Count);
        Assert.All(one.Zip(other), pair => Assert.InRange(Math.Abs(pair.First - pair.Second) / pair.First, 0, LossTolerance));
    }

    /// <summary>Training and validation losses of each epoch.</summary>
    private List<double> Losses(string run) =>
        [.. File.ReadLines(_folder.File($"{run}/history.csv")).Skip(1).Select(line => line.Split(','))
            .SelectMany(cells => (double[])[double.Parse(cells[2], CultureInfo.InvariantCulture), double.Parse(cells[4], CultureInfo.InvariantCulture)])];

    private static int CountOf(string folder) => Directory.Exists(folder) ? Directory.GetFiles(folder, "*.safetensors").Length : 0;

    private static void Wait(Func<bool> isDone)
    {
        for (var clock = Stopwatch.StartNew(); !isDone() && clock.Elapsed < TimeSpan.FromMinutes(2);) Thread.Sleep(5);
    }

    /// <summary>The process of a rank among those that a job has started; null where it has ended.</summary>
    private static int? ProcessOf(int rank, int job)
    {
        foreach (var folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var process)) continue;
            try
            {
                if (File.ReadLines($"{folder}/status").First(line => line.StartsWith("PPid:", StringComparison.Ordinal))[5..].Trim() != $"{job}") continue;
                if (File.ReadAllText($"{folder}/environ").Split('\0').Contains($"OMPI_COMM_WORLD_RANK={rank}")) return process;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or InvalidOperationException)
            {
                // It has just ended.
            }
        }
        return null;
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    [GeneratedRegex("Stage 1, full: up to")]
    private static partial Regex Stage();
}
