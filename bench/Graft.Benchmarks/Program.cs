using System.CommandLine;
using Graft;
using Graft.Benchmarks;

var root = new RootCommand("Measures Graft; bench/README.md says how the figures are read, bench/peers has the same of other tools.")
{
    ForwardBenchmark.Create(),
    PredictBenchmark.Create(),
    ExtractBenchmark.Create(),
    ClassifierBenchmark.Create(),
    TrainingBenchmark.Create(),
    AccuracyBenchmark.Create(),
    EpochBenchmark.Create(),
    FewPhotosBenchmark.Create(),
    LearningCurveBenchmark.Create(),
    UnlabeledBenchmark.Create(),
    LabelingBenchmark.Create(),
    ExportParityBenchmark.Create(),
    ServeBenchmark.Create(),
    TransferBenchmark.Create(),
};
try
{
    return root.Parse(args).Invoke(new() { EnableDefaultExceptionHandler = false });
}
catch (GraftException problem)
{
    Console.Error.WriteLine(problem.Message);
    return 1;
}
