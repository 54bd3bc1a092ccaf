using Graft.Runs;

namespace Graft.Samples;

internal static class Train
{
    /// <summary>The README's snippet: train on a folder of photos, then say what is on a new one.</summary>
    public static async Task RunAsync(string photos, string runFolder, string photo)
    {
        using var run = await TrainingRun.ExecuteAsync(new() { Photos = photos }, folder: runFolder);
        Console.WriteLine(run.Validation.Report);

        // Predict with it
        Console.WriteLine(run.Model.Predict(photo).Class);
    }
}
