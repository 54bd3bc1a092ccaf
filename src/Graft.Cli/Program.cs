using System.CommandLine;
using Graft.Cli;
using Graft.Cli.Verbs;

Terminal.Open();
#if WITH_HEIF
// Photos that others send are not for so many decoders.
if (args is not ["serve", ..]) Graft.Imaging.Heif.HeifImages.Register();
#endif
var root = new RootCommand(
    """
    Transfer learning for photographs: take a network pretrained on ImageNet, graft a new head on it,
    and have a classifier of your own pictures.

    Start here:  graft demo, then graft auto DIR with your photos
    """)
{
    DemoVerb.Create(),
    AutoVerb.Create(),
    TryVerb.Create(),
    AdviseVerb.Create(),
    TrainVerb.Create(),
    EvaluateVerb.Create(),
    PredictVerb.Create(),
    LabelVerb.Create(),
    ExportVerb.Create(),
    ServeVerb.Create(),
    StudioVerb.Create(),
    ReportVerb.Create(),
    CompareVerb.Create(),
    FeaturesVerb.Create(),
    ModelsVerb.Create(),
    DataVerb.Create(),
    CacheVerb.Create(),
};
root.Add(Terminal.Verbose);
root.SetAction(_ => root.Parse("--help").Invoke());
Verb.ShowExamplesInHelp(root);

var parsed = root.Parse(args);
if (WrongUsage.Of(parsed) is { } problem) return Terminal.Misuse(problem, parsed.CommandResult.Command);
using var interruption = new Interruption();
return ProcessExit.With(
    await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interruption.Token));
